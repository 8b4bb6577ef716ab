// x[row] = token embedding + position embedding
// One workgroup a row: dispatch (rows, 1, 1). A left pad (id 0 at left position i) has an embedding of its own, V − L + i;
// an image position is row embedding + column embedding.
override WORKGROUP: u32 = 64;
struct Params {
  hidden: u32,
  row_stride: u32,      // of all tables, in fp16 pairs
  sequence_length: u32, // of `tokens`
  rows_per_sequence: u32,
  left: u32,
  side: u32,
  right: u32,
  text_vocabulary: u32,
  // 1: one row a sequence, at position state[1], which becomes state[0] for the kernels behind.
  step: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;           // (sequences, sequence_length)
@group(0) @binding(2) var<storage, read> text_embeddings: array<u32>;  // (V, row_stride) fp16 pairs
@group(0) @binding(3) var<storage, read> image_embeddings: array<u32>; // (IV, row_stride) fp16 pairs
@group(0) @binding(4) var<storage, read> positions: array<u32>;        // (L+1 left, R+1 right, d rows, d columns; row_stride) fp16 pairs
@group(0) @binding(5) var<storage, read_write> state: array<u32>;      // see parts/cache
@group(0) @binding(6) var<storage, read_write> x: array<f32>;          // (rows, hidden)

// Value k of a row that starts at pair `start`.
fn position_value(start: u32, k: u32) -> f32 {
  return unpack2x16float(positions[start + k / 2u])[k & 1u];
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  // A step reads state[1] and writes state[0]: no workgroup reads what another one writes in the same dispatch.
  var start: u32;
  if (params.step == 1u) {
    start = state[1];
    if (row == 0u && local == 0u) { state[0] = start; }
  } else {
    start = state[0];
  }
  let sequence = row / params.rows_per_sequence;
  let position = start + row % params.rows_per_sequence;
  let id = tokens[sequence * params.sequence_length + position];
  let image_end = params.left + params.side * params.side;
  let right_table = params.left + 1u;
  let rows_table = right_table + params.right + 1u;

  if (position >= params.left && position < image_end) {
    let t = position - params.left;
    let image_row = (rows_table + t / params.side) * params.row_stride;
    let image_column = (rows_table + params.side + t % params.side) * params.row_stride;
    for (var k = local; k < params.hidden; k += WORKGROUP) {
      let token = unpack2x16float(image_embeddings[id * params.row_stride + k / 2u])[k & 1u];
      x[row * params.hidden + k] = token + position_value(image_row, k) + position_value(image_column, k);
    }
    return;
  }
  var text_id = id;
  var place = right_table + position - image_end;
  if (position < params.left) {
    text_id = select(id, params.text_vocabulary - params.left + position, id == 0u);
    place = position;
  }
  for (var k = local; k < params.hidden; k += WORKGROUP) {
    let token = unpack2x16float(text_embeddings[text_id * params.row_stride + k / 2u])[k & 1u];
    x[row * params.hidden + k] = token + position_value(place * params.row_stride, k);
  }
}
