// What the cross-entropies of some rows need of their logits, which are never stored:
//   logit[t, n] = Σ_k x[row of t, k] · weights[n, k] + bias[n]                 for targets t and classes n
//   partials[slice, t]: Σ exp(logit[t, n]) over the classes of a slice, as an online sum
//   label_logits[t] = logit[t, label of t]
// An invocation takes 4 targets and a slice of SLICE classes, 4 × 8 logits at a time straight from memory: no barriers, which are
// dear on software adapters, and names instead of indices, as in `matmul_direct`. Against the layers behind which it runs it is
// little work, so GPUs have no tiled kernel of their own.
// Dispatch (ceil(classes / (THREADS_N · SLICE)), ceil(targets / TILE_M), 1) for classes first_class … end_class − 1. Every dispatch
// but the first (first_class 0) goes on with the sums that are there.
// Needs parts weights_*, dots, online_sum.
const PER_M = 4u;
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

// The sums of target t with four more classes, `first` and those behind it.
fn grow(sum: OnlineSum, four: vec4<f32>, first: u32, end: u32, t: u32, label: u32) -> OnlineSum {
  var logits = four;
  for (var n = 0u; n < 4u; n++) {
    if (first + n >= end) {
      logits[n] = ONLINE_NOTHING.maximum;
    } else if (first + n == label && t < params.targets) {
      label_logits[t] = logits[n];
    }
  }
  let maximum = max(sum.maximum, max(max(logits.x, logits.y), max(logits.z, logits.w)));
  var total = sum.total * online_exp(sum.maximum, maximum);
  for (var n = 0u; n < 4u; n++) { total += online_exp(logits[n], maximum); }
  return OnlineSum(maximum, total);
}

@compute @workgroup_size(THREADS_M * THREADS_N)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first_target = group.y * TILE_M + local / THREADS_N * PER_M;
  let slice = group.x * THREADS_N + local % THREADS_N;
  let begin = params.first_class + slice * SLICE;
  let end = min(begin + SLICE, params.end_class);
  if (first_target >= params.targets || begin >= end) { return; }
  // Targets and classes beyond the last repeat the last one and are not stored: cheaper than branches in the loop.
#each m 4
  let t$m = min(first_target + $mu, params.targets - 1u);
  let x_start$m = targets[t$m].x * params.chunks * 2u;
  let label$m = targets[t$m].y;
  var sum$m = ONLINE_NOTHING;
  if (params.first_class > 0u) { sum$m = partials[slice * params.targets + t$m]; }
#end
  for (var first = begin; first < end; first += 8u) {
#each n 8
    let class$n = min(first + $nu, end - 1u);
    let w_start$n = class$n * params.chunks;
#end
#each m 4
    var left$m = vec4(bias[class0], bias[class1], bias[class2], bias[class3]);
    var right$m = vec4(bias[class4], bias[class5], bias[class6], bias[class7]);
#end
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
#each n 8
      let w$n = weights8(w_start$n + chunk);
#end
#each m 4
      let low$m = x[x_start$m + chunk * 2u];
      let high$m = x[x_start$m + chunk * 2u + 1u];
      left$m += dots8(low$m, high$m, w0, w1, w2, w3);
      right$m += dots8(low$m, high$m, w4, w5, w6, w7);
#end
    }
#each m 4
    sum$m = grow(sum$m, left$m, first, end, first_target + $mu, label$m);
    sum$m = grow(sum$m, right$m, first + 4u, end, first_target + $mu, label$m);
#end
  }
#each m 4
  if (first_target + $mu < params.targets) { partials[slice * params.targets + first_target + $mu] = sum$m; }
#end
}
