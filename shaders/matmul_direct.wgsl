// y[m, n] = Σ_k x[m, k] · weights[n, k] + bias[n]   for many rows m, on software adapters
// Each invocation computes 4 × 4 outputs straight from memory: the caches of a CPU do what tiles do on a GPU, and barriers,
// which are dear there, are not needed. On a GPU `matmul` is several times as fast.
// Dispatch (ceil(columns / TILE_N), ceil(rows / TILE_M), 1).
const PER_M = 4u;
const PER_N = 4u;
const THREADS_M = 8u;
const THREADS_N = 4u;
const TILE_M = THREADS_M * PER_M; // 32
const TILE_N = THREADS_N * PER_N; // 16
struct Params {
  rows: u32,
  columns: u32,
  chunks: u32, // K / 8
  first_column: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // (rows, K / 4)
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // (columns)

@compute @workgroup_size(THREADS_M * THREADS_N)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first_row = group.y * TILE_M + local / THREADS_N * PER_M;
  let first_column = params.first_column + group.x * TILE_N + local % THREADS_N * PER_N;
  if (first_row >= params.rows || first_column >= params.columns) { return; }
  // Rows and columns beyond the last repeat the last one and are not stored: cheaper than branches in the loop.
  var x_start: array<u32, PER_M>;
  var w_start: array<u32, PER_N>;
  for (var i = 0u; i < PER_M; i++) { x_start[i] = min(first_row + i, params.rows - 1u) * params.chunks * 2u; }
  for (var j = 0u; j < PER_N; j++) { w_start[j] = min(first_column + j, params.columns - 1u) * params.chunks; }
  var sums: array<array<f32, PER_N>, PER_M>;
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
    var w: array<Weights8, PER_N>;
    for (var j = 0u; j < PER_N; j++) { w[j] = weights8(w_start[j] + chunk); }
    for (var i = 0u; i < PER_M; i++) {
      let low = x[x_start[i] + chunk * 2u];
      let high = x[x_start[i] + chunk * 2u + 1u];
      for (var j = 0u; j < PER_N; j++) { sums[i][j] += dot(w[j].low, low) + dot(w[j].high, high); }
    }
  }
  for (var i = 0u; i < PER_M; i++) {
    for (var j = 0u; j < PER_N; j++) {
      let row = first_row + i;
      let column = first_column + j;
      if (row < params.rows && column < params.columns) {
        store_output(row, column, params.columns, sums[i][j] + bias[column]);
      }
    }
  }
}
