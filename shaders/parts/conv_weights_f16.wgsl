enable f16;
// Rows of fp16 weights, read natively (`shader-f16`); arithmetic stays f32.
@group(1) @binding(0) var<storage, read> conv_weights: array<vec4<f16>>; // (rows, row_stride)

// Weights k…k+7 of a row; k and row_stride are multiples of 8.
fn conv_weight8(row: u32, k: u32, row_stride: u32) -> array<vec4<f32>, 2> {
  let at = (row * row_stride + k) / 4u;
  return array<vec4<f32>, 2>(vec4<f32>(conv_weights[at]), vec4<f32>(conv_weights[at + 1u]));
}
