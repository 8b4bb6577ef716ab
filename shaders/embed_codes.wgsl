// y[p, c] = table[codes[p], c]: the codebook's vectors in the place of its indices.
// One thread for eight channels of a pixel. Dispatch: ceil(pixels · stride / 8 / WORKGROUP) workgroups in x and y.
// table: parts/weights_*.wgsl; its rows are zero-padded to `stride`.
override WORKGROUP: u32 = 64;

struct Params { pixels: u32, stride: u32 } // stride: channels rounded up to a multiple of 8, also the table's row stride

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;          // (pixels)
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;  // (pixels, stride)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP + index;
  let eights = params.stride / 8u;
  if (item >= params.pixels * eights) {
    return;
  }
  let values = weights8(codes[item / eights] * eights + item % eights);
  y[2u * item] = values.low;
  y[2u * item + 1u] = values.high;
}
