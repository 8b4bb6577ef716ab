// y[row] = (x[row′] − mean) / sqrt(variance + eps) · gain + bias,  row′ = first + row · step
// One workgroup a row: dispatch (rows, 1, 1). Two passes: E[x²] − E[x]² loses digits in f32.
override WORKGROUP: u32 = 128;
struct Params {
  width: u32,
  first: u32,
  step: u32,
  norm: u32, // row of `norms` with the gain; the bias is the next row
  eps: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;       // (source rows, width)
@group(0) @binding(2) var<storage, read> norms: array<f32>;   // (2n, width) gain, bias, gain, bias, …
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (rows, width)

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let source = (params.first + group.x * params.step) * params.width;
  var sum = 0.0;
  for (var k = local; k < params.width; k += WORKGROUP) { sum += x[source + k]; }
  let mean = sum_workgroup(sum, local) / f32(params.width);
  var squares = 0.0;
  for (var k = local; k < params.width; k += WORKGROUP) {
    let centred = x[source + k] - mean;
    squares += centred * centred;
  }
  let scale = inverseSqrt(sum_workgroup(squares, local) / f32(params.width) + params.eps);
  let gain = params.norm * params.width;
  for (var k = local; k < params.width; k += WORKGROUP) {
    y[group.x * params.width + k] = (x[source + k] - mean) * scale * norms[gain + k] + norms[gain + params.width + k];
  }
}
