// Sum over the workgroup as a tree in workgroup memory: the same order on every device. The kernel declares WORKGROUP,
// a power of two. Every invocation must call, and all get the sum.
var<workgroup> sum_partial: array<f32, WORKGROUP>;

fn sum_workgroup(value: f32, local: u32) -> f32 {
  sum_partial[local] = value;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (local < half) { sum_partial[local] += sum_partial[local + half]; }
    workgroupBarrier();
  }
  let sum = sum_partial[0];
  workgroupBarrier(); // nobody may start the next sum before everybody has read this one
  return sum;
}
