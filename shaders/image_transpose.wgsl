// y[c, p] = x[p, c], rows of y zero-padded to y_stride: v as the rows that softmax(…)·v multiplies with.
// One thread a value of y. Dispatch: ceil(channels · y_stride / WORKGROUP) workgroups in x and y.
override WORKGROUP: u32 = 64;

struct Params { pixels: u32, channels: u32, x_stride: u32, y_stride: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;        // (pixels, x_stride)
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // (channels, y_stride)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP + index;
  if (item >= params.channels * params.y_stride) {
    return;
  }
  let p = item % params.y_stride;
  var value = 0.0;
  if (p < params.pixels) {
    value = x[p * params.x_stride + item / params.y_stride];
  }
  y[item] = value;
}
