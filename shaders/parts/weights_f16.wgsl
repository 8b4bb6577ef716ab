enable f16;
// Weights stored as fp16, read as native f16 and widened: the same values as weights_fp16, fewer instructions.
struct WeightsHalf8 { low: vec4<f16>, high: vec4<f16> }
@group(1) @binding(0) var<storage, read> weights_data: array<WeightsHalf8>; // (rows, row stride / 8)

struct Weights8 { low: vec4<f32>, high: vec4<f32> }

// The 8 weights of chunk `index`; a row of K weights is ceil(K / 8) chunks.
fn weights8(index: u32) -> Weights8 {
  let half8 = weights_data[index];
  return Weights8(vec4<f32>(half8.low), vec4<f32>(half8.high));
}
