// Masks that are not upstream's standard ones, kept as bits: every earlier key is looked at, so this part is slow.
@group(1) @binding(0) var<storage, read> geometry_mask: array<u32>; // (sequence length, mask_words), bit k of word w: key 32w + k

struct Geometry {
  left: u32,
  side: u32,
  kind: u32,
  kernel: u32,
  right_sees_left: u32,
  mask_words: u32,
}

fn key_count(g: Geometry, position: u32) -> u32 {
  return position + 1u;
}

fn key_position(g: Geometry, position: u32, j: u32) -> u32 {
  return j;
}

fn key_allowed(g: Geometry, position: u32, key: u32) -> bool {
  return ((geometry_mask[position * g.mask_words + key / 32u] >> (key % 32u)) & 1u) == 1u;
}
