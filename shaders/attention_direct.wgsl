// out[row, head] = Σ_j softmax_j(q[row, head] · k_j / √width) · v_j  over the keys j that the row's position attends to
// An invocation a row and head, without workgroup memory: dispatch (ceil(pairs / WORKGROUP), 1, 1) for the pairs first_pair …
// end_pair − 1. For software adapters, on which a barrier costs more than a key: `attention` passes eight for every 64 keys. Keys come
// 16 at a time, with a running maximum (online softmax). Neighbours are heads of one row, so that they gather the same keys. What is a
// row's own has names instead of indices, as in `matmul_direct`.
// const HEAD: u32 (head width, a multiple of 4, at most 256) is set when the shader is composed.
const WORKGROUP = 8u;
const ROUND = 16u;
const QUARTERS = HEAD / 4u;
struct Params {
  heads: u32,
  scale: f32, // 1 / √HEAD
  first_pair: u32,
  end_pair: u32, // at most rows · heads
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> geometry: Geometry;
@group(0) @binding(2) var<uniform> cache: Cache;
@group(0) @binding(3) var<storage, read> state: array<u32>;             // see parts/cache
@group(0) @binding(4) var<storage, read> q: array<vec4<f32>>;           // (rows, heads, HEAD / 4)
@group(0) @binding(5) var<storage, read> keys: array<vec4<f32>>;        // (slots, heads, HEAD / 4)
@group(0) @binding(6) var<storage, read> values: array<vec4<f32>>;      // (slots, heads, HEAD / 4)
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>;   // (rows, heads, HEAD / 4)

const NEVER = -3.0e38;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let pair = params.first_pair + id.x;
  if (pair >= params.end_pair) { return; }
  let head = pair % params.heads;
  let row = pair / params.heads;
  let sequence = row / cache.rows_per_sequence;
  let position = state[0] + row % cache.rows_per_sequence;
  let prefix = cache_prefix(cache, sequence, state[4u + sequence]);
#each k HEAD/4
  let query$k = q[pair * QUARTERS + $ku] * params.scale;
  var sum$k = vec4<f32>();
#end
  let count = key_count(geometry, position);
  var maximum = NEVER;
  var total = 0.0;
  var starts: array<u32, ROUND>;
  var scores: array<f32, ROUND>;
  for (var first = 0u; first < count; first += ROUND) {
    let here = min(ROUND, count - first);
    var highest = maximum;
    for (var i = 0u; i < here; i++) {
      let key = key_position(geometry, position, first + i);
      let start = (cache_slot(cache, sequence, prefix, key) * params.heads + head) * QUARTERS;
      var score = NEVER;
      if (key_allowed(geometry, position, key)) {
        score = 0.0;
#each k HEAD/4
        score += dot(query$k, keys[start + $ku]);
#end
      }
      starts[i] = start;
      scores[i] = score;
      highest = max(highest, score);
    }
    let rescale = exp(maximum - highest);
    maximum = highest;
    total *= rescale;
#each k HEAD/4
    sum$k *= rescale;
#end
    for (var i = 0u; i < here; i++) {
      // A round may hold no allowed key at all: then the maximum is NEVER as well.
      let weight = select(exp(scores[i] - highest), 0.0, scores[i] == NEVER);
      total += weight;
      let start = starts[i];
#each k HEAD/4
      sum$k += weight * values[start + $ku];
#end
    }
  }
#each k HEAD/4
  out[pair * QUARTERS + $ku] = sum$k / total;
#end
}
