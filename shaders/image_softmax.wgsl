// s[t, u] ← exp(scale·(s[t, u] − max)) / Σ_u …, in place; columns from `columns` on become 0.
// One workgroup a row: dispatch (rows, 1, 1).
override WORKGROUP: u32 = 64;

struct Params { columns: u32, stride: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>; // (rows, stride)

var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let row = workgroup.x * params.stride;

  var largest = -3.4e38;
  for (var u = index; u < params.columns; u += WORKGROUP) {
    largest = max(largest, scores[row + u]);
  }
  partial[index] = largest;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      partial[index] = max(partial[index], partial[index + half]);
    }
    workgroupBarrier();
  }
  largest = partial[0];
  workgroupBarrier();

  var sum = 0.0;
  for (var u = index; u < params.columns; u += WORKGROUP) {
    let value = exp(params.scale * (scores[row + u] - largest));
    scores[row + u] = value;
    sum += value;
  }
  partial[index] = sum;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      partial[index] += partial[index + half];
    }
    workgroupBarrier();
  }
  sum = partial[0];

  // Each thread visits the columns that it wrote itself: no barrier on storage is needed.
  for (var u = index; u < params.stride; u += WORKGROUP) {
    if (u < params.columns) {
      scores[row + u] = scores[row + u] / sum;
    } else {
      scores[row + u] = 0.0;
    }
  }
}
