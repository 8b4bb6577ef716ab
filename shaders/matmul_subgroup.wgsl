// What `matmul_direct` computes, for software adapters with subgroups of 8 (lavapipe): a row's values are loaded once for all lanes, one
// each, and passed round. Loads are what costs there, for each lane fetches for itself, even what is the same for all; so a load of x is
// one instruction here for eight values, where it was eight. With so few loads 4 × 4 sums do, and those fit the processor's registers.
// A workgroup is two subgroups; each computes ROWS × 32 outputs, an invocation 4 columns of them.
// Dispatch (ceil(columns / 64), ceil(rows / ROWS), 1).
// Needs parts weights_*, dots, lanes, output_*. const ROWS: u32 (1, 2 or 4) is set when the shader is composed.
const LANES = 8u;
struct Params {
  rows: u32,
  columns: u32,
  chunks: u32, // K / 8
  first_column: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;    // (rows, K)
@group(0) @binding(2) var<storage, read> bias: array<f32>; // (columns)

@compute @workgroup_size(2u * LANES)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let row = group.y * ROWS;
  let column = params.first_column + ((2u * group.x + local / LANES) * LANES + lane) * 4u;
  // Rows and columns beyond the last repeat the last one and are not stored: all lanes have to pass round what they loaded.
#each n 4
  let w_start$n = min(column + $nu, params.columns - 1u) * params.chunks;
#end
#each m ROWS
  let x_start$m = min(row + $mu, params.rows - 1u) * params.chunks * LANES + lane;
  var sums$m = vec4<f32>();
#end
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
#each n 4
    let w$n = weights8(w_start$n + chunk);
#end
#each m ROWS
    let mine$m = x[x_start$m + chunk * LANES];
    sums$m += dots8(from_lanes0_to_3(mine$m), from_lanes4_to_7(mine$m), w0, w1, w2, w3);
#end
  }
#each m ROWS
  for (var n = 0u; n < 4u; n++) {
    if (row + $mu < params.rows && column + n < params.columns) {
      store_output(row + $mu, column + n, params.columns, sums$m[n] + bias[column + n]);
    }
  }
#end
}
