// What the filter reads for a class: its logit where it is on the list, else −Infinity, which excludes it.
// Needs the kernel's `logits` (f32 bits) and `row_start`.
@group(1) @binding(0) var<storage, read> logits_list: array<u32>; // (classes / 32, rounded up), bit k of word w: class 32w + k

fn filter_bits(id: u32) -> u32 {
  if (((logits_list[id / 32u] >> (id % 32u)) & 1u) == 0u) {
    return 0xff800000u;
  }
  return logits[row_start + id];
}
