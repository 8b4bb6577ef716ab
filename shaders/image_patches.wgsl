// y[p, (tap, c)] = 2·image[c, pixel(p, tap)] − 1 for the nine pixels around p, 0 outside the picture and past the last k.
// The first convolution has three channels, which do not come in eights; on these rows it is a 1 × 1 one.
// One thread a value of y. Dispatch: ceil(pixels · stride / WORKGROUP) workgroups in x and y.
override WORKGROUP: u32 = 64;

struct Params { width: u32, height: u32, channels: u32, stride: u32 } // stride: 9·channels, rounded up to a multiple of 8

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> image: array<f32>;    // (channels, height, width), 0…1
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // (height · width, stride)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP + index;
  if (item >= params.width * params.height * params.stride) {
    return;
  }
  let p = item / params.stride;
  let k = item % params.stride;
  let tap = k / params.channels;
  // Unsigned: one before 0 wraps to a huge number and fails the test below.
  let sy = p / params.width + tap / 3u - 1u;
  let sx = p % params.width + tap % 3u - 1u;
  var value = 0.0;
  if (tap < 9u && sy < params.height && sx < params.width) {
    value = 2.0 * image[((k % params.channels) * params.height + sy) * params.width + sx] - 1.0;
  }
  y[item] = value;
}
