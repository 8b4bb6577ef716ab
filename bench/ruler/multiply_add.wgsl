// Eight independent chains of vec4 multiply-adds an invocation: what the arithmetic units can do without any memory.
// Dispatch (any, 1, 1); LENGTH, set by the bench, is the number of multiply-adds in a chain.
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>; // (invocations)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = vec4(0.999 + f32(id.x) * 1e-9);
  let term = vec4(1e-3);
  var s0 = vec4(f32(id.x)); var s1 = s0 + 1.0; var s2 = s0 + 2.0; var s3 = s0 + 3.0;
  var s4 = s0 + 4.0; var s5 = s0 + 5.0; var s6 = s0 + 6.0; var s7 = s0 + 7.0;
  for (var i = 0u; i < LENGTH; i++) {
    s0 = fma(s0, factor, term); s1 = fma(s1, factor, term); s2 = fma(s2, factor, term); s3 = fma(s3, factor, term);
    s4 = fma(s4, factor, term); s5 = fma(s5, factor, term); s6 = fma(s6, factor, term); s7 = fma(s7, factor, term);
  }
  y[id.x] = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
}
