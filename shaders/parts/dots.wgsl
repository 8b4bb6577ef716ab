// Eight values with the same of four rows of weights. Needs parts/weights_*.
fn dots8(low: vec4<f32>, high: vec4<f32>, a: Weights8, b: Weights8, c: Weights8, d: Weights8) -> vec4<f32> {
  return vec4(
    dot(a.low, low) + dot(a.high, high),
    dot(b.low, low) + dot(b.high, high),
    dot(c.low, low) + dot(c.high, high),
    dot(d.low, low) + dot(d.high, high),
  );
}
