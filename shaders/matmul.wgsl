// y[m, n] = Σ_k x[m, k] · weights[n, k] + bias[n]   for many rows m
// A workgroup of 8×8 computes a tile of TILE_M × TILE_N outputs, each invocation PER_M × PER_N of them in registers:
// a step in k costs PER_M + PER_N loads for PER_M · PER_N multiply-adds.
// Dispatch (ceil(columns / TILE_N), ceil(rows / TILE_M), 1).
// const PER_M, PER_N: u32 are set when the shader is composed.
const SIDE = 8u;
const TILE_M = SIDE * PER_M;
const TILE_N = SIDE * PER_N;
const TILE_K = 16u;
struct Params {
  rows: u32,
  columns: u32,
  chunks: u32, // K / 8
  first_column: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // (rows, K / 4)
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // (columns)

var<workgroup> tile_x: array<f32, TILE_K * TILE_M>;       // [k][m]
var<workgroup> tile_weights: array<f32, TILE_K * TILE_N>; // [k][n]

fn load_x(local: u32, first_row: u32, first_chunk: u32) {
  for (var i = local; i < TILE_M * TILE_K / 4u; i += SIDE * SIDE) {
    let m = i / (TILE_K / 4u);
    let k4 = i % (TILE_K / 4u);
    var value = vec4(0.0);
    if (first_row + m < params.rows && first_chunk * 2u + k4 < params.chunks * 2u) {
      value = x[(first_row + m) * params.chunks * 2u + first_chunk * 2u + k4];
    }
    for (var c = 0u; c < 4u; c++) { tile_x[(k4 * 4u + c) * TILE_M + m] = value[c]; }
  }
}

fn load_weights(local: u32, first_column: u32, first_chunk: u32) {
  for (var i = local; i < TILE_N * TILE_K / 8u; i += SIDE * SIDE) {
    let n = i / (TILE_K / 8u);
    let chunk = i % (TILE_K / 8u);
    var value = Weights8(vec4(0.0), vec4(0.0));
    if (first_column + n < params.columns && first_chunk + chunk < params.chunks) {
      value = weights8((first_column + n) * params.chunks + first_chunk + chunk);
    }
    for (var c = 0u; c < 4u; c++) {
      tile_weights[(chunk * 8u + c) * TILE_N + n] = value.low[c];
      tile_weights[(chunk * 8u + 4u + c) * TILE_N + n] = value.high[c];
    }
  }
}

@compute @workgroup_size(SIDE * SIDE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first_row = group.y * TILE_M;
  let first_column = params.first_column + group.x * TILE_N;
  let my_m = local / SIDE;
  let my_n = local % SIDE;
  var sums: array<array<f32, PER_N>, PER_M>;
  for (var first_chunk = 0u; first_chunk < params.chunks; first_chunk += TILE_K / 8u) {
    load_x(local, first_row, first_chunk);
    load_weights(local, first_column, first_chunk);
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
      var w: array<f32, PER_N>;
      for (var j = 0u; j < PER_N; j++) { w[j] = tile_weights[k * TILE_N + j * SIDE + my_n]; }
      for (var i = 0u; i < PER_M; i++) {
        let value = tile_x[k * TILE_M + i * SIDE + my_m];
        for (var j = 0u; j < PER_N; j++) { sums[i][j] += value * w[j]; }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < PER_M; i++) {
    let row = first_row + i * SIDE + my_m;
    for (var j = 0u; j < PER_N; j++) {
      let column = first_column + j * SIDE + my_n;
      if (row < params.rows && column < params.columns) {
        store_output(row, column, params.columns, sums[i][j] + bias[column]);
      }
    }
  }
}
