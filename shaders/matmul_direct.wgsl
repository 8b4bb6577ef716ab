// y[m, n] = Σ_k x[m, k] · weights[n, k] + bias[n]   for any number of rows m, on software adapters
// Each invocation computes ROWS × 8 outputs straight from memory: the caches of a CPU do what tiles do on a GPU, and barriers,
// which are dear there, are not needed. What loads cost counts, so a load serves as many outputs as names for their sums can be had.
// Names, not arrays: SwiftShader unrolls no loop, and what a loop indexes lies in memory for it, three times as slow.
// On a GPU `matvec` and `matmul` are several times as fast.
// Dispatch (ceil(columns / 8·WORKGROUP), ceil(rows / ROWS), 1).
// Needs parts weights_*, dots, output_*. const ROWS: u32 (1, 2, 4 or 8) is set when the shader is composed.
const WORKGROUP = 8u;
struct Params {
  rows: u32,
  columns: u32,
  chunks: u32, // K / 8
  first_column: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // (rows, K / 4)
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // (columns)

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.y * ROWS;
  let column = params.first_column + (group.x * WORKGROUP + local) * 8u;
  if (column >= params.columns) { return; }
  // Rows and columns beyond the last repeat the last one and are not stored: cheaper than branches in the loop.
#each n 8
  let w_start$n = min(column + $nu, params.columns - 1u) * params.chunks;
#end
#each m ROWS
  let x_start$m = min(row + $mu, params.rows - 1u) * params.chunks * 2u;
  var left$m = vec4<f32>();  // columns 0…3
  var right$m = vec4<f32>(); // columns 4…7
#end
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
#each n 8
    let w$n = weights8(w_start$n + chunk);
#end
#each m ROWS
    let low$m = x[x_start$m + chunk * 2u];
    let high$m = x[x_start$m + chunk * 2u + 1u];
    left$m += dots8(low$m, high$m, w0, w1, w2, w3);
    right$m += dots8(low$m, high$m, w4, w5, w6, w7);
#end
  }
  // Storing is little work: a loop here keeps the shader small.
  var sums: array<vec4<f32>, 2u * ROWS>;
#each m ROWS
  sums[2u * $mu] = left$m;
  sums[2u * $mu + 1u] = right$m;
#end
  for (var m = 0u; m < min(ROWS, params.rows - row); m++) {
    for (var n = 0u; n < min(8u, params.columns - column); n++) {
      store_output(row + m, column + n, params.columns, sums[2u * m + n / 4u][n % 4u] + bias[column + n]);
    }
  }
}
