// y = x, in units of 16 bytes. Neighbouring invocations touch neighbouring bytes.
// Dispatch (units / (THREADS · PER), 1, 1). THREADS and PER are set by the bench.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let start = group.x * THREADS * PER + local;
  for (var i = 0u; i < PER; i++) { y[start + i * THREADS] = x[start + i * THREADS]; }
}
