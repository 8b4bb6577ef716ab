// y[i] = Σ of PER units of x: what reading alone can do, which is what a matrix times a vector is about.
// Dispatch (units / (THREADS · PER), 1, 1). THREADS and PER are set by the bench.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let start = group.x * THREADS * PER + local;
  var sum = vec4(0.0);
  for (var i = 0u; i < PER; i++) { sum += x[start + i * THREADS]; }
  y[group.x * THREADS + local] = sum;
}
