enable subgroups;
// C = A · B, square f32 matrices of SIZE, a multiple of the tile, for subgroups of 8: eight values of a row of A are loaded at once, one a
// lane, and passed round. Each invocation computes ROWS rows of 4 outputs; a workgroup of 8 covers ROWS × 32.
// Dispatch (SIZE / 32, SIZE / ROWS, 1). SIZE and ROWS (4 or 8) are set by the bench.
@group(0) @binding(0) var<storage, read> a: array<f32>;             // (SIZE, SIZE)
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;       // (SIZE, SIZE / 4)
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>; // (SIZE, SIZE / 4)

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let m = group.y * ROWS;
  let n4 = group.x * 8u + lane;
  var sums: array<vec4<f32>, ROWS>;
  for (var k = 0u; k < SIZE; k += 8u) {
    let at = k * (SIZE / 4u) + n4;
    let b0 = b[at];
    let b1 = b[at + SIZE / 4u];
    let b2 = b[at + 2u * (SIZE / 4u)];
    let b3 = b[at + 3u * (SIZE / 4u)];
    let b4 = b[at + 4u * (SIZE / 4u)];
    let b5 = b[at + 5u * (SIZE / 4u)];
    let b6 = b[at + 6u * (SIZE / 4u)];
    let b7 = b[at + 7u * (SIZE / 4u)];
    for (var i = 0u; i < ROWS; i++) {
      let mine = a[(m + i) * SIZE + k + lane];
      sums[i] += subgroupBroadcast(mine, 0u) * b0 + subgroupBroadcast(mine, 1u) * b1
        + subgroupBroadcast(mine, 2u) * b2 + subgroupBroadcast(mine, 3u) * b3
        + subgroupBroadcast(mine, 4u) * b4 + subgroupBroadcast(mine, 5u) * b5
        + subgroupBroadcast(mine, 6u) * b6 + subgroupBroadcast(mine, 7u) * b7;
    }
  }
  for (var i = 0u; i < ROWS; i++) { c[(m + i) * (SIZE / 4u) + n4] = sums[i]; }
}
