// image[c, p] = (clamp(x[p, c], −1, 1) + 1) / 2: the decoder's last step.
// One thread a value of the image. Dispatch: ceil(channels · pixels / WORKGROUP) workgroups in x and y.
override WORKGROUP: u32 = 64;

struct Params { pixels: u32, channels: u32, stride: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;            // (pixels, stride)
@group(0) @binding(2) var<storage, read_write> image: array<f32>;  // (channels, pixels)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP + index;
  if (item >= params.pixels * params.channels) {
    return;
  }
  let value = x[(item % params.pixels) * params.stride + item / params.pixels];
  image[item] = (clamp(value, -1.0, 1.0) + 1.0) * 0.5;
}
