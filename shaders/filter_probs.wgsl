// probabilities[r] = softmax(logits[r] / temperature) over what top-k and top-p keep, 0 elsewhere.
// One workgroup a row: dispatch (rows, 1, 1). For guidance, which mixes probabilities, and for comparing the sampler's
// filter with the reference's.
//
// Needs parts filter, logits_plain or logits_allowed.

struct Params {
  classes: u32,
  top_k: u32,               // 0: all
  top_p: u32,               // in units of 2⁻³²; 0: all
  inverse_temperature: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<u32>;                // (rows, classes) f32 bits
@group(0) @binding(2) var<storage, read_write> probabilities: array<f32>;   // (rows, classes); -1 in a row without a number

var<workgroup> sum_low: atomic<u32>;
var<workgroup> sum_high: atomic<u32>;
var<private> row_start: u32;

@compute @workgroup_size(FILTER_THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  row_start = workgroup.x * params.classes;
  let any_class = filter_begin(FilterOptions(params.classes, params.top_k, params.top_p, params.inverse_temperature), local);
  filter_select(params.top_k, params.top_p, params.classes, local);
  for (var i = local; i < filter_length(); i += FILTER_THREADS) {
    let element = filter_element(i);
    if (filter_keeps(element)) {
      let mass = filter_mass(element.x);
      if (atomicAdd(&sum_low, mass) > 0xffffffffu - mass) {
        atomicAdd(&sum_high, 1u);
      }
    }
  }
  workgroupBarrier();
  let sum = f32(atomicLoad(&sum_high)) * 2.0 + f32(atomicLoad(&sum_low)) * 0x1p-31f;
  for (var id = local; id < params.classes; id += FILTER_THREADS) {
    let element = vec2<u32>(filter_key(filter_bits(id)), id);
    var probability = select(-1.0, 0.0, any_class);
    if (filter_keeps(element)) {
      probability = exp(max(filter_scaled(element.x), -100.0)) / sum;
    }
    probabilities[row_start + id] = probability;
  }
}
