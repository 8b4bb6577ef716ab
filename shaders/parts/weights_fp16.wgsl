// Weights stored as fp16, read as u32 pairs: the base path, which needs no optional feature.
// Rows are padded to 8 halves, so that one load of 16 bytes brings 8 weights.
@group(1) @binding(0) var<storage, read> weights_data: array<vec4<u32>>; // (rows, row stride / 8)

struct Weights8 { low: vec4<f32>, high: vec4<f32> }

// The 8 weights of chunk `index`; a row of K weights is ceil(K / 8) chunks.
fn weights8(index: u32) -> Weights8 {
  let pairs = weights_data[index];
  return Weights8(
    vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y)),
    vec4(unpack2x16float(pairs.z), unpack2x16float(pairs.w)),
  );
}
