// x[row] += LN_a(clamp(branch[row]));  y[row] = LN_b(x[row])
// CogView's sandwich residual fused with the LayerNorm of the sub-layer behind it: each row is read once and stays in
// workgroup memory. One workgroup a row: dispatch (rows, 1, 1). Two passes a norm: E[x²] − E[x]² loses digits in f32.
override WORKGROUP: u32 = 128;
override WIDTH: u32 = 1024;
struct Params {
  norm_a: u32, // row of `norms_a` with LN_a's gain; its bias is the next row
  norm_b: u32, // the same of `norms_b`
  eps: f32,
  limit: f32,  // upstream clamps the attention's output projection to ±65504
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> branch: array<f32>;  // (rows, WIDTH)
@group(0) @binding(2) var<storage, read> norms_a: array<f32>; // (2n, WIDTH)
@group(0) @binding(3) var<storage, read> norms_b: array<f32>; // (2n, WIDTH)
@group(0) @binding(4) var<storage, read_write> x: array<f32>; // (rows, WIDTH)
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // (rows, WIDTH)

var<workgroup> values: array<f32, WIDTH>;

// Mean and 1 / sqrt(variance + eps) of `values`. Invocation i owns the elements i, i + WORKGROUP, …
fn moments(local: u32) -> vec2<f32> {
  var sum = 0.0;
  for (var k = local; k < WIDTH; k += WORKGROUP) { sum += values[k]; }
  let mean = sum_workgroup(sum, local) / f32(WIDTH);
  var squares = 0.0;
  for (var k = local; k < WIDTH; k += WORKGROUP) {
    let centred = values[k] - mean;
    squares += centred * centred;
  }
  return vec2(mean, inverseSqrt(sum_workgroup(squares, local) / f32(WIDTH) + params.eps));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x * WIDTH;
  for (var k = local; k < WIDTH; k += WORKGROUP) { values[k] = clamp(branch[row + k], -params.limit, params.limit); }
  let a = moments(local);
  let gain_a = params.norm_a * WIDTH;
  for (var k = local; k < WIDTH; k += WORKGROUP) {
    let value = x[row + k] + (values[k] - a.x) * a.y * norms_a[gain_a + k] + norms_a[gain_a + WIDTH + k];
    values[k] = value;
    x[row + k] = value;
  }
  let b = moments(local);
  let gain_b = params.norm_b * WIDTH;
  for (var k = local; k < WIDTH; k += WORKGROUP) {
    y[row + k] = (values[k] - b.x) * b.y * norms_b[gain_b + k] + norms_b[gain_b + WIDTH + k];
  }
}
