// y = (x − mean) · scale + bias, and with SWISH y · sigmoid(y): the second half of GroupNorm.
// One thread for four channels of a pixel. Dispatch: ceil(pixels · channels / 4 / WORKGROUP) workgroups in x and y.
override WORKGROUP: u32 = 64;
override SWISH: bool = true;

struct Params { channels4: u32, count: u32 } // channels / 4, pixels · channels / 4

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;       // (pixels, channels)
@group(0) @binding(2) var<storage, read> affine: array<vec4<f32>>;  // (2, channels): mean, scale
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;    // (channels)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // (pixels, channels)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP + index;
  if (item >= params.count) {
    return;
  }
  let c = item % params.channels4;
  var value = (x[item] - affine[c]) * affine[params.channels4 + c] + bias[c];
  if (SWISH) {
    // exp(80) is still finite; beyond it the quotient is 0 in f32 anyway.
    value = value / (1.0 + exp(min(-value, vec4<f32>(80.0))));
  }
  y[item] = value;
}
