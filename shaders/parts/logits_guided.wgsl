// What the filter reads for a class under guidance (upstream's cfg): log((1 − weight) · conditional + weight · unconditional).
// The kernel's `logits` are then probabilities, already filtered: conditional rows, and `offset` behind each its unconditional one.
// Needs the kernel's `logits` (f32 bits) and `row_start`.
struct LogitsGuidance {
  weight: f32, // of the unconditional branch, above 0 and at most 1
  offset: u32,
}
@group(1) @binding(0) var<uniform> logits_guidance: LogitsGuidance;

fn filter_bits(id: u32) -> u32 {
  let conditional = bitcast<f32>(logits[row_start + id]);
  let unconditional = bitcast<f32>(logits[row_start + logits_guidance.offset + id]);
  // A branch without numbers: no class is left, and the sampler reports it.
  if (conditional < 0.0 || unconditional < 0.0) {
    return 0xff800000u;
  }
  let probability = (1.0 - logits_guidance.weight) * conditional + logits_guidance.weight * unconditional;
  // −Infinity: dropped by both branches, or so unlikely that no noise could lift it.
  if (probability < 1e-37) {
    return 0xff800000u;
  }
  return bitcast<u32>(log(probability));
}
