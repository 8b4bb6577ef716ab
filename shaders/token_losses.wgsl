// What the cross-entropies of some rows need of their logits, which are never stored:
//   logit[t, n] = Σ_k x[row of t, k] · weights[n, k] + bias[n]                 for targets t and classes n
//   partials[slice, t]: Σ exp(logit[t, n]) over the classes of a slice, as an online sum
//   label_logits[t] = logit[t, label of t]
// An invocation takes 4 targets and a slice of SLICE classes, 4 × 4 logits at a time straight from memory: no barriers, which are
// dear on software adapters. Against the layers behind which it runs it is little work, so GPUs have no tiled kernel of their own.
// Dispatch (ceil(classes / (THREADS_N · SLICE)), ceil(targets / TILE_M), 1) for classes first_class … end_class − 1. Every dispatch
// but the first (first_class 0) goes on with the sums that are there.
// Needs parts weights_*, online_sum.
const PER_M = 4u;
const PER_N = 4u;
const THREADS_M = 8u;
const THREADS_N = 4u;
const TILE_M = THREADS_M * PER_M; // 32
const SLICE = 32u;
struct Params {
  targets: u32,
  chunks: u32, // K / 8
  first_class: u32,
  end_class: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;                   // (rows, K / 4)
@group(0) @binding(2) var<storage, read> bias: array<f32>;                      // (classes or more)
@group(0) @binding(3) var<storage, read> targets: array<vec2<u32>>;             // (targets) row of x, label
@group(0) @binding(4) var<storage, read_write> partials: array<OnlineSum>;      // (slices, targets)
@group(0) @binding(5) var<storage, read_write> label_logits: array<f32>;        // (targets)

@compute @workgroup_size(THREADS_M * THREADS_N)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first_target = group.y * TILE_M + local / THREADS_N * PER_M;
  let slice = group.x * THREADS_N + local % THREADS_N;
  let begin = params.first_class + slice * SLICE;
  let end = min(begin + SLICE, params.end_class);
  if (first_target >= params.targets || begin >= end) { return; }
  // Targets and classes beyond the last repeat the last one and are not stored: cheaper than branches in the loop.
  var x_start: array<u32, PER_M>;
  var labels: array<u32, PER_M>;
  var sums: array<OnlineSum, PER_M>;
  for (var i = 0u; i < PER_M; i++) {
    let t = min(first_target + i, params.targets - 1u);
    x_start[i] = targets[t].x * params.chunks * 2u;
    labels[i] = targets[t].y;
    sums[i] = ONLINE_NOTHING;
    if (params.first_class > 0u) { sums[i] = partials[slice * params.targets + t]; }
  }
  for (var first = begin; first < end; first += PER_N) {
    var w_start: array<u32, PER_N>;
    var logits: array<array<f32, PER_N>, PER_M>;
    for (var j = 0u; j < PER_N; j++) {
      let class_id = min(first + j, end - 1u);
      w_start[j] = class_id * params.chunks;
      for (var i = 0u; i < PER_M; i++) { logits[i][j] = bias[class_id]; }
    }
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
      var w: array<Weights8, PER_N>;
      for (var j = 0u; j < PER_N; j++) { w[j] = weights8(w_start[j] + chunk); }
      for (var i = 0u; i < PER_M; i++) {
        let low = x[x_start[i] + chunk * 2u];
        let high = x[x_start[i] + chunk * 2u + 1u];
        for (var j = 0u; j < PER_N; j++) { logits[i][j] += dot(w[j].low, low) + dot(w[j].high, high); }
      }
    }
    for (var i = 0u; i < PER_M; i++) {
      var maximum = sums[i].maximum;
      for (var j = 0u; j < PER_N; j++) {
        if (first + j >= end) {
          logits[i][j] = ONLINE_NOTHING.maximum;
        } else if (first + j == labels[i] && first_target + i < params.targets) {
          label_logits[first_target + i] = logits[i][j];
        }
        maximum = max(maximum, logits[i][j]);
      }
      var total = sums[i].total * online_exp(sums[i].maximum, maximum);
      for (var j = 0u; j < PER_N; j++) { total += online_exp(logits[i][j], maximum); }
      sums[i] = OnlineSum(maximum, total);
    }
  }
  for (var i = 0u; i < PER_M; i++) {
    if (first_target + i < params.targets) { partials[slice * params.targets + first_target + i] = sums[i]; }
  }
}
