// Columns 0…h−1 are the query and go to q; h…2h−1 and 2h…3h−1 are key and value and go to the row's cache slot.
// Needs parts/cache.
@group(2) @binding(0) var<uniform> output_cache: Cache;
@group(2) @binding(1) var<storage, read> output_state: array<u32>;             // see parts/cache
@group(2) @binding(2) var<storage, read_write> output_q: array<f32>;           // (rows, h)
@group(2) @binding(3) var<storage, read_write> output_keys: array<f32>;        // (slots, h)
@group(2) @binding(4) var<storage, read_write> output_values: array<f32>;      // (slots, h)

fn store_output(row: u32, column: u32, columns: u32, value: f32) {
  let hidden = columns / 3u;
  if (column < hidden) {
    output_q[row * hidden + column] = value;
    return;
  }
  let sequence = row / output_cache.rows_per_sequence;
  let position = output_state[0] + row % output_cache.rows_per_sequence;
  // What lies in a prefix is written while the prefixes are computed, when sequence s is prefix s.
  let slot = cache_slot(output_cache, sequence, sequence, position);
  if (column < 2u * hidden) {
    output_keys[slot * hidden + column - hidden] = value;
  } else {
    output_values[slot * hidden + column - 2u * hidden] = value;
  }
}
