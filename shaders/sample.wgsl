// token[c] = argmax over the kept classes of (logit / temperature + Gumbel noise): a draw from the filtered softmax.
// The noise depends on (seed, candidate, position, class) alone; equal sums go to the lower class. top_k 1 is greedy, without noise.
//
// One workgroup a candidate: dispatch (candidates, 1, 1). The row just computed stands for position state[0]; its token is
// written at state[0] + position_offset, where the next embed reads it, and that position is left in state[1]. Under guidance
// a candidate has two rows of tokens, one a branch, and both get it.
//
// Needs parts random, filter, logits_*.

const NONE: u32 = 0xffffffff;

struct Params {
  classes: u32,
  first_class: u32,         // offset of class 0 in a row of logits
  row_stride: u32,
  logits_rows: u32,         // candidate c reads row c mod logits_rows: after a shared prefill there is one
  sequence_length: u32,
  position_offset: u32,
  top_k: u32,               // 0: all
  top_p: u32,               // in units of 2⁻³²; 0: all
  inverse_temperature: f32,
  seed: u32,
  candidate_offset: u32,    // number of the first candidate
  end_from: u32,            // drawn ids from here on count as end_id; NONE: no such ids
  end_id: u32,              // closes a text; NONE: nothing does
  candidates: u32,
  branches: u32,            // 2 under guidance, else 1
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<u32>;        // (logits_rows, row_stride) f32 bits; logits_guided reads as many rows behind them
@group(0) @binding(2) var<storage, read> forced: array<u32>;        // (sequence_length) ids, NONE: draw
@group(0) @binding(3) var<storage, read_write> state: array<u32>;   // position of this row, position of the next
@group(0) @binding(4) var<storage, read_write> tokens: array<u32>;  // (branches, candidates, sequence_length)
@group(0) @binding(5) var<storage, read_write> done: array<u32>;    // (candidates) 1: the text is closed, 2: no logit was a number; zeros follow

struct Plan { position: u32, token: u32 } // token NONE: to be drawn

var<workgroup> plan: Plan;
var<workgroup> best_sum: atomic<u32>;
var<workgroup> best_class: atomic<u32>;
var<private> row_start: u32;

fn perturbed(element: vec2<u32>, candidate: u32, position: u32) -> f32 {
  let scaled = filter_scaled(element.x);
  if (params.top_k == 1u) {
    return scaled;
  }
  return scaled + random_gumbel(vec4<u32>(params.seed, params.candidate_offset + candidate, position, element.y));
}

// NONE when every logit is NaN or −Infinity.
fn draw(candidate: u32, position: u32, local: u32) -> u32 {
  let options = FilterOptions(params.classes, params.top_k, params.top_p, params.inverse_temperature);
  let any_class = filter_begin(options, local);
  if (params.top_k != 1u) {
    filter_select(params.top_k, params.top_p, params.classes, local);
  }
  var sum = 0u; // as a key: integers in the order of the floats, so that atomicMax finds the largest
  var id = NONE;
  if (any_class) {
    for (var i = local; i < filter_length(); i += FILTER_THREADS) {
      let element = filter_element(i);
      if (!filter_keeps(element)) {
        continue;
      }
      let key = filter_key(bitcast<u32>(perturbed(element, candidate, position)));
      if (key > sum || (key == sum && element.y < id)) {
        sum = key;
        id = element.y;
      }
    }
  }
  atomicMax(&best_sum, sum);
  if (local == 0u) {
    atomicStore(&best_class, NONE);
  }
  workgroupBarrier();
  if (sum == atomicLoad(&best_sum)) {
    atomicMin(&best_class, id);
  }
  workgroupBarrier();
  return atomicLoad(&best_class);
}

@compute @workgroup_size(FILTER_THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let candidate = workgroup.x;
  row_start = (candidate % params.logits_rows) * params.row_stride + params.first_class;
  if (local == 0u) {
    let position = state[0] + params.position_offset;
    if (candidate == 0u) {
      state[1] = position;
    }
    var token = 0u;
    if (done[candidate] == 0u && position < params.sequence_length) {
      token = forced[position];
    }
    plan = Plan(position, token);
  }
  let planned = workgroupUniformLoad(&plan);
  var token = planned.token;
  if (token == NONE) {
    token = draw(candidate, planned.position, local);
    if (token == NONE) {
      // Nothing sensible can be drawn: the host reports it at the end rather than showing a picture of noise.
      if (local == 0u) { done[candidate] = 2u; }
      token = 0u;
    } else if (token >= params.end_from) {
      token = params.end_id;
    }
  }
  // Beyond the end, bounds clamping would overwrite somebody's last token.
  if (local == 0u && planned.position < params.sequence_length) {
    for (var branch = 0u; branch < params.branches; branch++) {
      tokens[(branch * params.candidates + candidate) * params.sequence_length + planned.position] = token;
    }
    if (token == params.end_id) {
      done[candidate] = 1u;
    }
  }
}
