// Rows of fp16 weights, read as pairs in u32: needs no optional feature.
@group(1) @binding(0) var<storage, read> conv_weights: array<vec4<u32>>; // (rows, row_stride) halves, 8 a vec4

// Weights k…k+7 of a row; k and row_stride are multiples of 8.
fn conv_weight8(row: u32, k: u32, row_stride: u32) -> array<vec4<f32>, 2> {
  let pairs = conv_weights[(row * row_stride + k) / 8u];
  return array<vec4<f32>, 2>(
    vec4<f32>(unpack2x16float(pairs.x), unpack2x16float(pairs.y)),
    vec4<f32>(unpack2x16float(pairs.z), unpack2x16float(pairs.w)),
  );
}
