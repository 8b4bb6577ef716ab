// Counter-based noise: the same four numbers give the same draw, whatever was drawn before and on whatever device.

// pcg4d of Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020.
fn random_pcg4d(counter: vec4<u32>) -> vec4<u32> {
  var v = counter * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4<u32>(16u);
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  return v;
}

// −log(1 − v) of 0 < v < 1. WGSL's log may be off by 2⁻²¹ absolute near 1, which would be all there is of a small v;
// so there −log(1 − v) = 2 atanh(s), s = v / (2 − v) ≤ 1/3, as a series (the first term left out is below 1e-8 of the sum).
fn random_exponential(v: f32) -> f32 {
  if (v > 0.5) {
    return -log(1.0 - v);
  }
  let s = v / (2.0 - v);
  let q = s * s;
  return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0))))));
}

// Standard Gumbel noise −log(−log u) of u = 1 − v, v from 2⁻³³ to 1 − 2⁻²⁴: never infinite.
// Small v, where the largest noise comes from, keep full relative precision.
fn random_gumbel(counter: vec4<u32>) -> f32 {
  let v = min((f32(random_pcg4d(counter).x) + 0.5) * exp2(-32.0), 1.0 - exp2(-24.0));
  return -log(random_exponential(v));
}
