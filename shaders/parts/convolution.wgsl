// What `conv2d`, `conv2d_direct` and `conv2d_subgroup` share: where everything lies, and how a result is stored.
struct Params {
  x_width: u32,     // of x as it lies in memory
  x_height: u32,
  x_stride: u32,    // f32 from one pixel to the next, = channels, a multiple of 8
  kernel: u32,      // 1 or 3
  pad: u32,         // pixels of zeros before the first row and column
  step: u32,        // pixels of x from one pixel of y to the next: 2 halves the picture
  enlarge: u32,     // 1: every pixel of x stands for 2 × 2
  row_chunks: u32,  // chunks of eight from one row of w to the next
  y_width: u32,
  y_stride: u32,    // f32 from one pixel to the next; channels from y_channels on are written as 0
  y_channels: u32,
  bias_count: u32,  // y_channels, or 0: no bias
  accumulate: u32,  // 1: add to what y held
  first_pixel: u32, // this dispatch computes first_pixel … end_pixel − 1
  end_pixel: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;       // (x_height, x_width, x_stride)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;    // (bias_count), zero-padded
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // (pixels, y_stride)

// Row and column of x on which the first tap of pixel p of y falls, in the enlarged picture. Unsigned: what lies before the first row or
// column wraps to a huge number.
fn corner(p: u32) -> vec2<u32> {
  return vec2(p / params.y_width, p % params.y_width) * params.step - params.pad;
}

const OUTSIDE = 0xffffffffu;

// Where the values begin on which a tap falls (the first one on `first`), in vec4s of x; OUTSIDE where that is no pixel.
fn source(first: vec2<u32>, tap: u32) -> u32 {
  let row = first.x + tap / params.kernel;
  let column = first.y + tap % params.kernel;
  let inside = row < (params.x_height << params.enlarge) && column < (params.x_width << params.enlarge);
  let pixel = (row >> params.enlarge) * params.x_width + (column >> params.enlarge);
  return select(OUTSIDE, pixel * (params.x_stride / 4u), inside);
}

// Sums of channels 4·n4 … 4·n4 + 3 of pixel p: with the bias, and added to what y held if so wanted.
fn store(p: u32, n4: u32, sums: vec4<f32>) {
  if (p >= params.end_pixel || 4u * n4 >= params.y_stride) {
    return;
  }
  var value = sums;
  if (4u * n4 < params.bias_count) {
    value += bias[n4];
  }
  let at = p * (params.y_stride / 4u) + n4;
  if (params.accumulate == 1u) {
    value += y[at];
  }
  y[at] = value;
}
