// A transposed activation in the place of weights: w[row, k] = a[k, row]. For softmax(…)·v.
// Bind exactly the rows of a: reading past the last gives 0.
@group(1) @binding(0) var<storage, read> conv_weights: array<f32>; // (k, row_stride)

fn conv_weight(row: u32, k: u32, row_stride: u32) -> f32 {
  let at = k * row_stride + row;
  return select(0.0, conv_weights[min(at, arrayLength(&conv_weights) - 1u)], at < arrayLength(&conv_weights));
}

// Values k…k+7 of a column.
fn conv_weight8(row: u32, k: u32, row_stride: u32) -> array<vec4<f32>, 2> {
  return array<vec4<f32>, 2>(
    vec4<f32>(
      conv_weight(row, k, row_stride),
      conv_weight(row, k + 1u, row_stride),
      conv_weight(row, k + 2u, row_stride),
      conv_weight(row, k + 3u, row_stride),
    ),
    vec4<f32>(
      conv_weight(row, k + 4u, row_stride),
      conv_weight(row, k + 5u, row_stride),
      conv_weight(row, k + 6u, row_stride),
      conv_weight(row, k + 7u, row_stride),
    ),
  );
}
