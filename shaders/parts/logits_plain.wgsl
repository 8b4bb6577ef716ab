// What the filter reads for a class: its logit. Needs the kernel's `logits` (f32 bits) and `row_start`.
fn filter_bits(id: u32) -> u32 {
  return logits[row_start + id];
}
