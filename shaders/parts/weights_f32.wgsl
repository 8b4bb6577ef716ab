// Rows of f32 in the place of weights: one activation multiplied by another, q·kᵀ in the image tokenizer's attention.
@group(1) @binding(0) var<storage, read> weights_data: array<vec4<f32>>; // (rows, row stride / 4)

struct Weights8 { low: vec4<f32>, high: vec4<f32> }

// The 8 values of chunk `index`; a row of K values is ceil(K / 8) chunks.
fn weights8(index: u32) -> Weights8 {
  return Weights8(weights_data[2u * index], weights_data[2u * index + 1u]);
}
