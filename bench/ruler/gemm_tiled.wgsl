// C = A · B, square f32 matrices of SIZE, a multiple of the tile, through workgroup memory.
// A workgroup of 16 × 16 computes a tile of (64 · PER)²: each invocation 4·PER × 4·PER outputs in registers.
// Dispatch (SIZE / (64 · PER), SIZE / (64 · PER), 1). SIZE and PER (1 or 2) are set by the bench.
const TILE = 64u * PER;
const DEEP = 16u;
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;       // (SIZE, SIZE / 4)
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;       // (SIZE, SIZE / 4)
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>; // (SIZE, SIZE / 4)

var<workgroup> tile_a: array<vec4<f32>, DEEP * TILE / 4u>; // [k][m / 4]
var<workgroup> tile_b: array<vec4<f32>, DEEP * TILE / 4u>; // [k][n / 4]

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first_m = group.y * TILE;
  let first_n = group.x * TILE;
  let my_m = local / 16u;
  let my_n = local % 16u;
  var sums: array<array<vec4<f32>, PER>, 4u * PER>;
  for (var first_k = 0u; first_k < SIZE; first_k += DEEP) {
    // Four rows of A at a time, so that the transposed store is whole vec4s.
    for (var i = local; i < TILE; i += 256u) {
      let m4 = i / (DEEP / 4u);
      let k4 = i % (DEEP / 4u);
      let at = (first_m + m4 * 4u) * (SIZE / 4u) + first_k / 4u + k4;
      let r = mat4x4<f32>(a[at], a[at + SIZE / 4u], a[at + SIZE / 2u], a[at + 3u * SIZE / 4u]);
      let columns = transpose(r);
      for (var k = 0u; k < 4u; k++) { tile_a[(k4 * 4u + k) * (TILE / 4u) + m4] = columns[k]; }
    }
    for (var i = local; i < DEEP * TILE / 4u; i += 256u) {
      tile_b[i] = b[(first_k + i / (TILE / 4u)) * (SIZE / 4u) + first_n / 4u + i % (TILE / 4u)];
    }
    workgroupBarrier();
    for (var k = 0u; k < DEEP; k++) {
      var right: array<vec4<f32>, PER>;
      for (var j = 0u; j < PER; j++) { right[j] = tile_b[k * (TILE / 4u) + j * 16u + my_n]; }
      for (var i = 0u; i < PER; i++) {
        let left = tile_a[k * (TILE / 4u) + i * 16u + my_m];
        for (var r = 0u; r < 4u; r++) {
          for (var j = 0u; j < PER; j++) { sums[i * 4u + r][j] += left[r] * right[j]; }
        }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < PER; i++) {
    for (var r = 0u; r < 4u; r++) {
      for (var j = 0u; j < PER; j++) {
        c[(first_m + (i * 16u + my_m) * 4u + r) * (SIZE / 4u) + first_n / 4u + j * 16u + my_n] = sums[i * 4u + r][j];
      }
    }
  }
}
