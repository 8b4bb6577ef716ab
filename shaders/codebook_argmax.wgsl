// codes[p] = the index of the largest logits[p, …]; of equal ones the lowest.
// One workgroup a pixel: dispatch ceil(pixels) workgroups in x and y.
override WORKGROUP: u32 = 64;

struct Params { pixels: u32, codes: u32, stride: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;       // (pixels, stride)
@group(0) @binding(2) var<storage, read_write> codes: array<u32>;  // (pixels)

var<workgroup> best_value: array<f32, WORKGROUP>;
var<workgroup> best_code: array<u32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let p = workgroup.y * workgroups.x + workgroup.x;
  let row = min(p, params.pixels - 1u) * params.stride;
  var value = -3.4e38;
  var code = params.codes;
  for (var c = index; c < params.codes; c += WORKGROUP) {
    let v = logits[row + c];
    if (v > value) { // a thread meets its codes in rising order: the first of equals stays
      value = v;
      code = c;
    }
  }
  best_value[index] = value;
  best_code[index] = code;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      let v = best_value[index + half];
      let c = best_code[index + half];
      if (v > best_value[index] || (v == best_value[index] && c < best_code[index])) {
        best_value[index] = v;
        best_code[index] = c;
      }
    }
    workgroupBarrier();
  }
  if (index == 0u && p < params.pixels) {
    codes[p] = min(best_code[0], params.codes - 1u); // NaN logits leave no winner
  }
}
