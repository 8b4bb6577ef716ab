// Where keys and values of a position lie. The cache of a layer is P prefixes of `prefix_length` slots, computed once
// and shared, then a tail of `ring` slots for every sequence. The tail is a ring: while a picture is drawn, a layer
// looks back a fixed distance only.
//
// state (u32): [0] position of the first row being computed, [1] position of the next step, [2], [3] unused,
// [4 + s] the prefix that sequence s continues.
struct Cache {
  prefix_length: u32,
  prefixes: u32,
  ring: u32,
  rows_per_sequence: u32,
  // 1 while the prefixes themselves are computed: sequence s is prefix s.
  filling_prefixes: u32,
}

fn cache_prefix(cache: Cache, sequence: u32, continued: u32) -> u32 {
  return select(continued, sequence, cache.filling_prefixes == 1u);
}

fn cache_slot(cache: Cache, sequence: u32, prefix: u32, position: u32) -> u32 {
  if (position < cache.prefix_length) {
    return prefix * cache.prefix_length + position;
  }
  return cache.prefixes * cache.prefix_length + sequence * cache.ring + (position - cache.prefix_length) % cache.ring;
}
