// Which keys a position attends to, by arithmetic: upstream's row, column and convolution masks without a mask buffer.
// Positions: left text 0…L−1, image L…L+I−1 (I = side²), right text behind. Text is causal and right text sees
// everything before it; image tokens see all left text and, among image tokens,
//   kind 0, row:    the `side` tokens before and itself (wrapping over the row's edge)
//   kind 1, column: the tokens above in the same column and itself
//   kind 2, conv:   the causal part of a kernel×kernel box around itself
struct Geometry {
  left: u32,
  side: u32,
  kind: u32,
  kernel: u32,
  // 0 in checkpoints of the time when right text did not see left text (350M_v1).
  right_sees_left: u32,
  mask_words: u32, // of parts/geometry_bitset only
}

// The causal box of image token t, clipped to the picture: first column, width of a full row, full rows above.
struct Box { first: u32, width: u32, rows: u32 }

fn geometry_box(g: Geometry, t: u32) -> Box {
  let half = g.kernel / 2u;
  let column = t % g.side;
  let first = column - min(column, half);
  let last = min(column + half, g.side - 1u);
  return Box(first, last - first + 1u, min(t / g.side, half));
}


// How many keys the query at `position` attends to.
fn key_count(g: Geometry, position: u32) -> u32 {
  let image_end = g.left + g.side * g.side;
  if (position < g.left) { return position + 1u; }
  if (position >= image_end) {
    return select(position + 1u - g.left, position + 1u, g.right_sees_left == 1u);
  }
  let t = position - g.left;
  if (g.kind == 0u) { return g.left + min(t, g.side) + 1u; }
  if (g.kind == 1u) { return g.left + t / g.side + 1u; }
  let box = geometry_box(g, t);
  return g.left + box.rows * box.width + (t % g.side - box.first) + 1u;
}

// Position of key number j < key_count, ascending.
fn key_position(g: Geometry, position: u32, j: u32) -> u32 {
  let image_end = g.left + g.side * g.side;
  if (position >= image_end) { return select(j + g.left, j, g.right_sees_left == 1u); }
  if (position < g.left || j < g.left) { return j; }
  let t = position - g.left;
  let k = j - g.left;
  if (g.kind == 0u) { return position - min(t, g.side) + k; }
  if (g.kind == 1u) { return g.left + t % g.side + k * g.side; }
  let box = geometry_box(g, t);
  let row = t / g.side - box.rows + k / box.width;
  return g.left + row * g.side + box.first + k % box.width;
}

fn key_allowed(g: Geometry, position: u32, key: u32) -> bool {
  return true;
}
