// y[p, n] = bias[n] + Σ_(tap, c) x[pixel(p, tap), c] · w[n, tap, c], zero outside the picture;
// with `accumulate` added to what y held.
// Taps run over a kernel × kernel box; the input may be enlarged twofold (nearest) before, the output thinned by `step`.
//
// An implicit GEMM: a workgroup computes a tile of (4·THREADS_M pixels) × (4·THREADS_N channels), each thread 4 × 4 of it,
// walking K = kernel²·channels in steps of 16 that lie in workgroup memory. Channels come in eights, so eight consecutive k
// share a tap. Adapters in software set TILED to false and read everything where it lies: a barrier costs them more than
// their processor's caches leave to save.
// Dispatch (ceil(y_stride / 4·THREADS_N), ceil((end_pixel − first_pixel) / 4·THREADS_M), 1).
// w: parts/weights_*.wgsl; a row of w is `row_chunks` chunks of eight.
override TILED: bool = true;
override THREADS_M: u32 = 8;
override THREADS_N: u32 = 8;
const PER_THREAD: u32 = 4;
const K_TILE: u32 = 16;

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

// Four k a vec4, and what a thread's neighbours read lies side by side: slot j·THREADS + t is the thread's pixel t + j·THREADS_M
// or channel 4·t + j, so that a thread's channels are one vec4 of y.
var<workgroup> x_tile: array<vec4<f32>, (K_TILE / 4) * PER_THREAD * THREADS_M>; // (K_TILE/4, pixels)
var<workgroup> w_tile: array<vec4<f32>, (K_TILE / 4) * PER_THREAD * THREADS_N>; // (K_TILE/4, channels)

// Eight values of x for output pixel p at k…k+7.
fn input8(p: u32, k: u32) -> Weights8 {
  let tap = k / params.x_stride;
  let c = k % params.x_stride;
  // Unsigned: what lies before the first row wraps to a huge number and fails the same test.
  let sy = (p / params.y_width) * params.step + tap / params.kernel - params.pad;
  let sx = (p % params.y_width) * params.step + tap % params.kernel - params.pad;
  let inside = p < params.end_pixel && tap < params.kernel * params.kernel
    && sy < (params.x_height << params.enlarge) && sx < (params.x_width << params.enlarge);
  if (!inside) {
    return Weights8(vec4<f32>(), vec4<f32>());
  }
  let at = (((sy >> params.enlarge) * params.x_width + (sx >> params.enlarge)) * params.x_stride + c) / 4u;
  return Weights8(x[at], x[at + 1u]);
}

// w[n, k…k+7]
fn filter8(n: u32, k: u32) -> Weights8 {
  if (n >= params.y_channels || k >= params.kernel * params.kernel * params.x_stride) {
    return Weights8(vec4<f32>(), vec4<f32>());
  }
  return weights8(n * params.row_chunks + k / 8u);
}

// The dot products of four k of a pixel with four channels.
fn dots(a: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(dot(a, w0), dot(a, w1), dot(a, w2), dot(a, w3));
}

// The sums of pixels p, p + THREADS_M, … (one a column) with channels n…n+3, through tiles in workgroup memory.
fn tiled_sums(thread: vec2<u32>, pixel0: u32, channel0: u32) -> mat4x4<f32> {
  let tile_m = PER_THREAD * THREADS_M;
  let tile_n = PER_THREAD * THREADS_N;
  let k_end = params.kernel * params.kernel * params.x_stride;
  let x_loads = tile_m * (K_TILE / 8u);
  let loads = x_loads + tile_n * (K_TILE / 8u);
  var sums = mat4x4<f32>();
  for (var k0 = 0u; k0 < k_end; k0 += K_TILE) {
    for (var load = thread.y * THREADS_N + thread.x; load < loads; load += THREADS_M * THREADS_N) {
      if (load < x_loads) {
        let m = load % tile_m;
        let k8 = load / tile_m;
        let values = input8(pixel0 + m, k0 + 8u * k8);
        x_tile[2u * k8 * tile_m + m] = values.low;
        x_tile[(2u * k8 + 1u) * tile_m + m] = values.high;
      } else {
        let row = (load - x_loads) % tile_n;
        let k8 = (load - x_loads) / tile_n;
        let values = filter8(channel0 + row, k0 + 8u * k8);
        let slot = (row % PER_THREAD) * THREADS_N + row / PER_THREAD;
        w_tile[2u * k8 * tile_n + slot] = values.low;
        w_tile[(2u * k8 + 1u) * tile_n + slot] = values.high;
      }
    }
    workgroupBarrier();

    for (var k4 = 0u; k4 < min(K_TILE, k_end - k0) / 4u; k4++) {
      let xs = k4 * tile_m + thread.y;
      let ws = k4 * tile_n + thread.x;
      let w0 = w_tile[ws];
      let w1 = w_tile[ws + THREADS_N];
      let w2 = w_tile[ws + 2u * THREADS_N];
      let w3 = w_tile[ws + 3u * THREADS_N];
      sums[0] += dots(x_tile[xs], w0, w1, w2, w3);
      sums[1] += dots(x_tile[xs + THREADS_M], w0, w1, w2, w3);
      sums[2] += dots(x_tile[xs + 2u * THREADS_M], w0, w1, w2, w3);
      sums[3] += dots(x_tile[xs + 3u * THREADS_M], w0, w1, w2, w3);
    }
    workgroupBarrier();
  }
  return sums;
}

// The same sums from where everything lies. Divisions are slow there: none in the inner loop.
fn untiled_sums(p: u32, n: u32) -> mat4x4<f32> {
  // Channels that only fill the row up to y_stride read the last filter; their sums are set to 0 below.
  let last = params.y_channels - 1u;
  let row = min(vec4<u32>(n, n + 1u, n + 2u, n + 3u), vec4<u32>(last)) * params.row_chunks;
  let pixels = vec4<u32>(p, p + THREADS_M, p + 2u * THREADS_M, p + 3u * THREADS_M);
  let top = (pixels / params.y_width) * params.step - params.pad;
  let left = (pixels % params.y_width) * params.step - params.pad;
  let height = vec4<u32>(params.x_height << params.enlarge);
  let width = vec4<u32>(params.x_width << params.enlarge);
  var sums = mat4x4<f32>();
  var chunk = 0u;
  for (var tap = 0u; tap < params.kernel * params.kernel; tap++) {
    let sy = top + tap / params.kernel;
    let sx = left + tap % params.kernel;
    let inside = (sy < height) & (sx < width);
    let source = ((sy >> vec4<u32>(params.enlarge)) * params.x_width + (sx >> vec4<u32>(params.enlarge))) * (params.x_stride / 4u);
    let at = select(vec4<u32>(), source, inside);
    var tap_sums = mat4x4<f32>();
    for (var c4 = 0u; c4 < params.x_stride / 4u; c4 += 2u) {
      let w0 = weights8(row.x + chunk);
      let w1 = weights8(row.y + chunk);
      let w2 = weights8(row.z + chunk);
      let w3 = weights8(row.w + chunk);
      tap_sums[0] += dots(x[at.x + c4], w0.low, w1.low, w2.low, w3.low) + dots(x[at.x + c4 + 1u], w0.high, w1.high, w2.high, w3.high);
      tap_sums[1] += dots(x[at.y + c4], w0.low, w1.low, w2.low, w3.low) + dots(x[at.y + c4 + 1u], w0.high, w1.high, w2.high, w3.high);
      tap_sums[2] += dots(x[at.z + c4], w0.low, w1.low, w2.low, w3.low) + dots(x[at.z + c4 + 1u], w0.high, w1.high, w2.high, w3.high);
      tap_sums[3] += dots(x[at.w + c4], w0.low, w1.low, w2.low, w3.low) + dots(x[at.w + c4 + 1u], w0.high, w1.high, w2.high, w3.high);
      chunk++;
    }
    let counts = select(vec4<f32>(), vec4<f32>(1.0), inside);
    sums[0] += counts.x * tap_sums[0];
    sums[1] += counts.y * tap_sums[1];
    sums[2] += counts.z * tap_sums[2];
    sums[3] += counts.w * tap_sums[3];
  }
  let exists = select(vec4<f32>(), vec4<f32>(1.0), vec4<u32>(n, n + 1u, n + 2u, n + 3u) <= vec4<u32>(last));
  return mat4x4<f32>(exists * sums[0], exists * sums[1], exists * sums[2], exists * sums[3]);
}

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

@compute @workgroup_size(THREADS_N, THREADS_M)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) thread: vec3<u32>) {
  let pixel0 = params.first_pixel + workgroup.y * PER_THREAD * THREADS_M;
  let channel0 = workgroup.x * PER_THREAD * THREADS_N;
  let p = pixel0 + thread.y;
  let n = channel0 + PER_THREAD * thread.x;
  var sums: mat4x4<f32>;
  if (TILED) {
    sums = tiled_sums(thread.xy, pixel0, channel0);
  } else {
    sums = untiled_sums(p, n);
  }
  store(p, n / 4u, sums[0]);
  store(p + THREADS_M, n / 4u, sums[1]);
  store(p + 2u * THREADS_M, n / 4u, sums[2]);
  store(p + 3u * THREADS_M, n / 4u, sums[3]);
}
