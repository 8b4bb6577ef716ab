// perplexity[s] = mean of exp(loss) over the targets of sequence s,  exp(loss[t]) = Σ_n exp(logit[t, n] − logit[t, label of t])
// from what token_losses left. As upstream, a loss of exactly 0 drops out of sum and count; where nothing is left, the result is 1.
// −1 says that a logit was no number.
// One workgroup a sequence: dispatch (sequences, 1, 1).
// Needs parts online_sum, sum_workgroup.
override WORKGROUP: u32 = 64;
// Losses are cut where even the sum over a stream stays finite: exp(70) is 2.5e30, times the number of classes below 1e36.
const LARGEST_EXPONENT = 70.0;
const LARGEST = 1.0e33;
struct Params {
  targets: u32,
  slices: u32,
  first_result: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ranges: array<u32>;              // (sequences + 1) where the targets of a sequence begin
@group(0) @binding(2) var<storage, read> partials: array<vec2<u32>>;      // (slices, targets) bits of OnlineSum
@group(0) @binding(3) var<storage, read> label_logits: array<u32>;        // (targets) bits of f32
@group(0) @binding(4) var<storage, read_write> results: array<f32>;       // (first_result + sequences or more)

// Asked of the bits: WGSL lets compilers assume that there are neither NaN nor infinities.
fn no_number(bits: u32) -> bool {
  return (bits & 0x7f800000u) == 0x7f800000u;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  var count = 0.0;
  var broken = 0.0;
  for (var t = ranges[group.x] + local; t < ranges[group.x + 1u]; t += WORKGROUP) {
    var all = ONLINE_NOTHING;
    if (no_number(label_logits[t])) { broken = 1.0; }
    for (var slice = 0u; slice < params.slices; slice++) {
      let partial = partials[slice * params.targets + t];
      if (no_number(partial.x) || no_number(partial.y)) { broken = 1.0; }
      all = online_merge(all, OnlineSum(bitcast<f32>(partial.x), bitcast<f32>(partial.y)));
    }
    let label = bitcast<f32>(label_logits[t]);
    let perplexity = min(all.total * online_exp(min(all.maximum - label, LARGEST_EXPONENT), 0.0), LARGEST);
    if (perplexity != 1.0) {
      sum += perplexity;
      count += 1.0;
    }
  }
  let total = sum_workgroup(sum, local);
  let scored = sum_workgroup(count, local);
  let failed = sum_workgroup(broken, local);
  if (local == 0u) {
    var perplexity = 1.0;
    if (scored > 0.0) { perplexity = total / scored; }
    if (failed > 0.0) { perplexity = -1.0; }
    results[params.first_result + group.x] = perplexity;
  }
}
