// C = A · B, square f32 matrices of SIZE, a multiple of the tile, without workgroup memory: best where a CPU's caches serve.
// Each invocation computes ROWS rows of 4 · PER outputs; a workgroup of 64 covers 8 · ROWS × 32 · PER.
// Dispatch (SIZE / (32 · PER), SIZE / (8 · ROWS), 1). SIZE, ROWS and PER are set by the bench.
@group(0) @binding(0) var<storage, read> a: array<f32>;             // (SIZE, SIZE)
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;       // (SIZE, SIZE / 4)
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>; // (SIZE, SIZE / 4)

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let m = (group.y * 8u + local / 8u) * ROWS;
  let n4 = (group.x * 8u + local % 8u) * PER;
  var sums: array<array<vec4<f32>, PER>, ROWS>;
  for (var k = 0u; k < SIZE; k++) {
    var right: array<vec4<f32>, PER>;
    for (var j = 0u; j < PER; j++) { right[j] = b[k * (SIZE / 4u) + n4 + j]; }
    for (var i = 0u; i < ROWS; i++) {
      let left = a[(m + i) * SIZE + k];
      for (var j = 0u; j < PER; j++) { sums[i][j] += left * right[j]; }
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < PER; j++) { c[(m + i) * (SIZE / 4u) + n4 + j] = sums[i][j]; }
  }
}
