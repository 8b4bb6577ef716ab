// out[row, head] = Σ_j softmax_j(q[row, head] · k_j / √width) · v_j  over the keys j that the row's position attends to
// One workgroup a row and head: dispatch (heads, rows, 1). Keys are gathered by arithmetic (parts/geometry_*), 64 at a
// time, with a running maximum (online softmax), so that any number of keys fits. Serves steps and prefill alike: a
// sparse query reads the keys it needs and no others.
// const HEAD: u32 (head width, a multiple of 4, at most 256) is set when the shader is composed.
const WORKGROUP = 64u;
const OUTPUTS = (HEAD + WORKGROUP - 1u) / WORKGROUP; // outputs an invocation keeps
struct Params {
  heads: u32,
  scale: f32, // 1 / √HEAD
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> geometry: Geometry;
@group(0) @binding(2) var<uniform> cache: Cache;
@group(0) @binding(3) var<storage, read> state: array<u32>;        // see parts/cache
@group(0) @binding(4) var<storage, read> q: array<vec4<f32>>;      // (rows, heads, HEAD / 4)
@group(0) @binding(5) var<storage, read> keys: array<vec4<f32>>;   // (slots, heads, HEAD / 4)
@group(0) @binding(6) var<storage, read> values: array<f32>;       // (slots, heads, HEAD)
@group(0) @binding(7) var<storage, read_write> out: array<f32>;    // (rows, heads, HEAD)

var<workgroup> query: array<vec4<f32>, HEAD / 4u>;
var<workgroup> slots: array<u32, WORKGROUP>;
var<workgroup> weights: array<f32, WORKGROUP>;
var<workgroup> reduced: array<f32, WORKGROUP>;

const NEVER = -3.0e38;

fn max_workgroup(value: f32, local: u32) -> f32 {
  reduced[local] = value;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (local < half) { reduced[local] = max(reduced[local], reduced[local + half]); }
    workgroupBarrier();
  }
  let maximum = reduced[0];
  workgroupBarrier();
  return maximum;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let head = group.x;
  let row = group.y;
  let sequence = row / cache.rows_per_sequence;
  let position = state[0] + row % cache.rows_per_sequence;
  let prefix = cache_prefix(cache, sequence, state[4u + sequence]);
  for (var k = local; k < HEAD / 4u; k += WORKGROUP) {
    query[k] = q[(row * params.heads + head) * (HEAD / 4u) + k] * params.scale;
  }
  workgroupBarrier();

  let count = key_count(geometry, position);
  var maximum = NEVER;
  var total = 0.0;
  var sums: array<f32, OUTPUTS>;
  for (var first = 0u; first < count; first += WORKGROUP) {
    var score = NEVER;
    let j = first + local;
    if (j < count) {
      let key = key_position(geometry, position, j);
      let slot = cache_slot(cache, sequence, prefix, key);
      slots[local] = slot;
      if (key_allowed(geometry, position, key)) {
        score = 0.0;
        let start = (slot * params.heads + head) * (HEAD / 4u);
        for (var k = 0u; k < HEAD / 4u; k++) { score += dot(query[k], keys[start + k]); }
      }
    }
    let new_maximum = max(maximum, max_workgroup(score, local));
    let rescale = exp(maximum - new_maximum);
    weights[local] = select(exp(score - new_maximum), 0.0, score == NEVER);
    workgroupBarrier();
    let here = min(WORKGROUP, count - first);
    total *= rescale;
    for (var i = 0u; i < here; i++) { total += weights[i]; }
    for (var o = 0u; o < OUTPUTS; o++) {
      let k = local + o * WORKGROUP;
      if (k < HEAD) {
        var sum = sums[o] * rescale;
        for (var i = 0u; i < here; i++) { sum += weights[i] * values[(slots[i] * params.heads + head) * HEAD + k]; }
        sums[o] = sum;
      }
    }
    maximum = new_maximum;
    workgroupBarrier();
  }
  for (var o = 0u; o < OUTPUTS; o++) {
    let k = local + o * WORKGROUP;
    if (k < HEAD) { out[(row * params.heads + head) * HEAD + k] = sums[o] / total; }
  }
}
