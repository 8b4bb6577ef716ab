// An activation in the place of weights: w[row, k] = a[row, k]. For q·kᵀ.
@group(1) @binding(0) var<storage, read> conv_weights: array<vec4<f32>>; // (rows, row_stride)

// Values k…k+7 of a row; k and row_stride are multiples of 8.
fn conv_weight8(row: u32, k: u32, row_stride: u32) -> array<vec4<f32>, 2> {
  let at = (row * row_stride + k) / 4u;
  return array<vec4<f32>, 2>(conv_weights[at], conv_weights[at + 1u]);
}
