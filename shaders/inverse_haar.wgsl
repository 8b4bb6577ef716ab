// image[c, 2i+a, 2j+b] = (ll ± lh ± hl ± hh) / 2, − for lh where a = 1, for hl where b = 1, for hh where a ≠ b;
// then clamped to ±1 and brought to 0…1: the last step of the DWT decoder, which doubles the side.
// x holds 4·channels: low-low of every colour, then lh, hl, hh of the first colour, of the second, …
// One thread a value of the image. Dispatch: ceil(4 · channels · width · height / WORKGROUP) workgroups in x and y.
override WORKGROUP: u32 = 64;

struct Params { width: u32, height: u32, channels: u32, stride: u32 } // of x

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;            // (height, width, stride)
@group(0) @binding(2) var<storage, read_write> image: array<f32>;  // (channels, 2·height, 2·width)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP + index;
  let width = 2u * params.width;
  let height = 2u * params.height;
  if (item >= params.channels * width * height) {
    return;
  }
  let colour = item / (width * height);
  let row = (item / width) % height;
  let column = item % width;
  let at = ((row / 2u) * params.width + column / 2u) * params.stride;
  let high = at + params.channels + 3u * colour;
  let a = select(1.0, -1.0, row % 2u == 1u);
  let b = select(1.0, -1.0, column % 2u == 1u);
  let value = 0.5 * (x[at + colour] + a * x[high] + b * x[high + 1u] + a * b * x[high + 2u]);
  image[item] = (clamp(value, -1.0, 1.0) + 1.0) * 0.5;
}
