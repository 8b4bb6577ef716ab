// y[m, n] = Σ_k x[m, k] · weights[n, k] + bias[n]   for many rows m
// A workgroup computes a tile of TILE_M × TILE_N outputs, each invocation PER_M × PER_N of them in registers, four columns to a vector:
// a step in k costs (PER_M + PER_N) / 4 loads of 16 bytes from workgroup memory for PER_M · PER_N multiply-adds, so that it is
// arithmetic and not that memory that limits.
// Few rows make few tiles, too few for a large GPU. Then SLICES times 64 invocations share a tile (split-K): each slice takes every
// SLICES-th piece of K, and in the end their sums are added up.
// The order of additions depends on SLICES alone: which tile is in use changes no result.
// Dispatch (ceil(columns / TILE_N), ceil(rows / TILE_M), 1).
// const SIDE_M, PER_M, PER_N (these multiples of 4), SLICES: u32 are set when the shader is composed.
const SIDE_N = 64u / SIDE_M;
const M4 = SIDE_M * PER_M / 4u; // vectors of four rows
const N4 = SIDE_N * PER_N / 4u; // vectors of four columns
const CHUNKS = 1u + 1u / SLICES; // pieces of 8 weights a slice takes at a time: two where there is one slice (naga 25 knows no constant select)
const STEP = 8u * CHUNKS;
const SLICE = STEP * (M4 + N4);
struct Params {
  rows: u32,
  columns: u32,
  chunks: u32, // K / 8
  first_column: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // (rows, K / 4)
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // (columns)

// Of each slice [k][m / 4] of x, then [k][n / 4] of the weights. At the end, the sums that are handed over.
var<workgroup> tiles: array<vec4<f32>, SLICES * SLICE>;

// Four values of x from a row; zeros beyond the last row and the end of K.
fn load_x(row: u32, k4: u32) -> vec4<f32> {
  if (row < params.rows && k4 < params.chunks * 2u) { return x[row * params.chunks * 2u + k4]; }
  return vec4(0.0);
}

fn load_weights(column: u32, chunk: u32) -> Weights8 {
  if (column < params.columns && chunk < params.chunks) { return weights8(column * params.chunks + chunk); }
  return Weights8(vec4(0.0), vec4(0.0));
}

// Writes four vectors, one below the other, as the four they are when read across.
fn store_across(place: u32, stride: u32, v0: vec4<f32>, v1: vec4<f32>, v2: vec4<f32>, v3: vec4<f32>) {
  tiles[place] = vec4(v0.x, v1.x, v2.x, v3.x);
  tiles[place + stride] = vec4(v0.y, v1.y, v2.y, v3.y);
  tiles[place + 2u * stride] = vec4(v0.z, v1.z, v2.z, v3.z);
  tiles[place + 3u * stride] = vec4(v0.w, v1.w, v2.w, v3.w);
}

fn store(row: u32, column: u32, sums: vec4<f32>) {
  for (var j = 0u; j < 4u; j++) {
    if (row < params.rows && column + j < params.columns) {
      store_output(row, column + j, params.columns, sums[j] + bias[column + j]);
    }
  }
}

@compute @workgroup_size(64u * SLICES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first_row = group.y * 4u * M4;
  let first_column = params.first_column + group.x * 4u * N4;
  let slice = local / 64u;
  let lane = local % 64u;
  let my_m = lane / SIDE_N;
  let my_n = lane % SIDE_N;
  let x_tile = slice * SLICE;
  let weights_tile = x_tile + STEP * M4;
  #each a PER_M/4
  #each b PER_N/4
  #each c 4
  var sum$a_$c_$b = vec4(0.0);
  #end
  #end
  #end
  for (var first = 0u; first < params.chunks; first += CHUNKS * SLICES) {
    let chunk0 = first + slice * CHUNKS;
    for (var i = lane; i < M4 * CHUNKS * 2u; i += 64u) {
      let row = first_row + 4u * (i % M4);
      let k4 = i / M4;
      let from_k = chunk0 * 2u + k4;
      store_across(x_tile + 4u * k4 * M4 + i % M4, M4,
        load_x(row, from_k), load_x(row + 1u, from_k), load_x(row + 2u, from_k), load_x(row + 3u, from_k));
    }
    for (var i = lane; i < N4 * CHUNKS; i += 64u) {
      let column = first_column + 4u * (i % N4);
      let chunk = i / N4;
      let w0 = load_weights(column, chunk0 + chunk);
      let w1 = load_weights(column + 1u, chunk0 + chunk);
      let w2 = load_weights(column + 2u, chunk0 + chunk);
      let w3 = load_weights(column + 3u, chunk0 + chunk);
      let place = weights_tile + 8u * chunk * N4 + i % N4;
      store_across(place, N4, w0.low, w1.low, w2.low, w3.low);
      store_across(place + 4u * N4, N4, w0.high, w1.high, w2.high, w3.high);
    }
    workgroupBarrier();
    for (var k = 0u; k < STEP; k++) {
      #each a PER_M/4
      let x$a = tiles[x_tile + k * M4 + $au * SIDE_M + my_m];
      #end
      #each b PER_N/4
      let w$b = tiles[weights_tile + k * N4 + $bu * SIDE_N + my_n];
      #end
      #each a PER_M/4
      #each b PER_N/4
      #each c 4
      sum$a_$c_$b += x$a[$c] * w$b;
      #end
      #end
      #end
    }
    workgroupBarrier();
  }
  for (var other = 1u; other < SLICES; other++) {
    if (slice == other) {
      #each a PER_M/4
      #each b PER_N/4
      #each c 4
      tiles[($au * PER_N + $bu * 4u + $cu) * 64u + lane] = sum$a_$c_$b;
      #end
      #end
      #end
    }
    workgroupBarrier();
    if (slice == 0u) {
      #each a PER_M/4
      #each b PER_N/4
      #each c 4
      sum$a_$c_$b += tiles[($au * PER_N + $bu * 4u + $cu) * 64u + lane];
      #end
      #end
      #end
    }
    workgroupBarrier();
  }
  if (slice > 0u) { return; }
  // In a loop, for the compilers' sake: what stores an output is long, and has no part in the time.
  var sums: array<vec4<f32>, PER_M * PER_N / 4u>;
  #each a PER_M/4
  #each b PER_N/4
  #each c 4
  sums[$au * PER_N + $bu * 4u + $cu] = sum$a_$c_$b;
  #end
  #end
  #end
  for (var i = 0u; i < PER_M * PER_N / 4u; i++) {
    let row = first_row + 4u * (i / PER_N * SIDE_M + my_m) + i % 4u;
    store(row, first_column + 4u * (i % PER_N / 4u * SIDE_N + my_n), sums[i]);
  }
}
