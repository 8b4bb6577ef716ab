// y[r, n] = Σ_k x[r, k] · weights[n, k] + bias[n]   for one to ROWS rows r
// A workgroup computes OUTPUTS outputs n for all rows: each weight is read once and applied to every row in registers.
// LANES lanes share an output and read neighbouring bytes. The fewer rows there are, the more lanes: a large GPU needs many reads under
// way, and each lane reads x for itself, ROWS times as much as weights.
// An output is the sum of PARTS sums, of which each takes every PARTS-th chunk of 8 weights, whatever ROWS and OUTPUTS are: the same
// additions in the same order, so that a candidate does not depend on how many are drawn beside it.
// Dispatch (ceil(columns / OUTPUTS), 1, 1).
// const ROWS (1, 2, 4 or 8), OUTPUTS: u32 are set when the shader is composed.
const PARTS = 32u;
const LANES = min(PARTS, 64u / ROWS);
struct Params {
  rows: u32, // ≤ ROWS
  columns: u32,
  chunks: u32, // K / 8
  first_column: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // (rows, K / 4)
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // (columns)

var<workgroup> partial: array<f32, PARTS * OUTPUTS * ROWS>; // (OUTPUTS, PARTS, ROWS)

@compute @workgroup_size(LANES * OUTPUTS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let my_output = local / LANES;
  let column = params.first_column + group.x * OUTPUTS + my_output;
  let weights_row = min(column, params.columns - 1u) * params.chunks;
  #each r ROWS
  // Rows beyond the last read the last one again and are not stored: cheaper than a branch in the loop.
  let start$r = min($ru, params.rows - 1u) * params.chunks;
  #end
  for (var part = local % LANES; part < PARTS; part += LANES) {
    #each r ROWS
    var sum$r = 0.0;
    #end
    for (var chunk = part; chunk < params.chunks; chunk += PARTS) {
      let w = weights8(weights_row + chunk);
      #each r ROWS
      sum$r += dot(w.low, x[2u * (start$r + chunk)]) + dot(w.high, x[2u * (start$r + chunk) + 1u]);
      #end
    }
    #each r ROWS
    partial[(my_output * PARTS + part) * ROWS + $ru] = sum$r;
    #end
  }
  workgroupBarrier();
  for (var task = local; task < OUTPUTS * ROWS; task += LANES * OUTPUTS) {
    let output = task / ROWS;
    let r = task % ROWS;
    let target_column = params.first_column + group.x * OUTPUTS + output;
    if (r < params.rows && target_column < params.columns) {
      var sum = 0.0;
      for (var part = 0u; part < PARTS; part++) { sum += partial[(output * PARTS + part) * ROWS + r]; }
      store_output(r, target_column, params.columns, sum + bias[target_column]);
    }
  }
}
