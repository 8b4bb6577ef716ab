// Which classes temperature, top-k and top-p keep, without sorting them.
//
// top-k: a class stays when fewer than k classes are larger (ties with the k-th stay).
// top-p: with probabilities p₀ ≥ p₁ ≥ … of what is left (ties: lower class first) class i stays when p₀ + … + pᵢ₋₁ ≤ p.
//
// Both look for a border B in the order of the classes: S(above B) ≤ limit < S(B and above), where S counts classes
// (limit k − 1) or adds up their masses (limit p · total). The order is three words compared one after the other: a step of
// ⅛ nat below the maximum, the logit as an integer, the class. It is searched digit by digit, 8 bits a pass: histogram,
// walk, narrow. The first word is implied by the second; it only makes the first pass separate nearly everything. As
// soon as at most FILTER_CAPACITY classes are left they are listed in workgroup memory and later passes are cheap.
//
// Masses are integers, so sums are exact: threads may add in any order, and neither the device nor the list changes one.
//
// The kernel supplies `fn filter_bits(id: u32) -> u32`, the bits of a logit (−Infinity or NaN excludes the class).
// Classes at most 65536; 15.3 KiB of workgroup memory. The result does not depend on the number of threads.

override FILTER_THREADS: u32 = 256; // at least 16. Software adapters pay for every thread at every barrier: 64 there
const FILTER_CAPACITY: u32 = 1536;
const FILTER_UNLISTED: u32 = 0xffffffff;
const FILTER_LEVELS_WITH_TIES: u32 = 5; // steps, logit: equal logits stay together
const FILTER_LEVELS: u32 = 7;           // steps, logit, class: the border is one class

struct FilterOptions {
  classes: u32,
  top_k: u32,               // 0: all
  top_p: u32,               // in units of 2⁻³²; 0: all
  inverse_temperature: f32, // at most 1e6
}

// Classes whose order, under the mask, is at least `least`. All zero: all classes.
struct FilterBorder { mask: vec3<u32>, least: vec3<u32> }

struct FilterStep {
  border: FilterBorder,
  above: vec3<u32>, // of what is above the digits found so far: S as low and high word, number of classes
  limit: vec2<u32>, // low and high word
  list: u32,        // 1: few enough are left to be listed now
  last: u32,        // 1: no further digit can change anything
}

var<workgroup> filter_low: array<atomic<u32>, 256>;
var<workgroup> filter_high: array<atomic<u32>, 256>;
var<workgroup> filter_count: array<atomic<u32>, 256>;
var<workgroup> filter_group: array<vec3<u32>, 16>; // sums of 16 bins each
var<workgroup> filter_step: FilterStep;
var<workgroup> filter_list: array<vec2<u32>, FILTER_CAPACITY>; // (key, class), in any order
var<workgroup> filter_list_length: atomic<u32>;
var<workgroup> filter_best_key: atomic<u32>;

var<private> filter_options: FilterOptions;
var<private> filter_listed: u32;      // length of the list; FILTER_UNLISTED while classes are read from memory
var<private> filter_maximum: f32;
var<private> filter_top_step: i32;
var<private> filter_top_k: FilterBorder;
var<private> filter_top_p: FilterBorder;

// Unsigned integers in the order of the floats; 0 for what is excluded. Bits, because WGSL lets compilers assume
// that there are neither NaN nor infinities. −0 counts as 0.
fn filter_key(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u || bits == 0xff800000u) {
    return 0u;
  }
  if (magnitude == 0u) {
    return 0x80000000u;
  }
  return select(min(bits, 0x7f7fffffu) ^ 0x80000000u, ~bits, bits >> 31u == 1u);
}

// The logit of a key, kept where no product or difference below overflows.
fn filter_value(key: u32) -> f32 {
  return clamp(bitcast<f32>(select(~key, key ^ 0x80000000u, key >> 31u == 1u)), -1e30, 1e30);
}

// (logit − largest logit) / temperature: at most 0.
fn filter_scaled(key: u32) -> f32 {
  return (filter_value(key) - filter_maximum) * filter_options.inverse_temperature;
}

// exp(scaled) in units of 2⁻³¹.
fn filter_mass(key: u32) -> u32 {
  return u32(exp(max(filter_scaled(key), -100.0)) * 0x1p31f + 0.5);
}

// Steps of ⅛ nat on an absolute scale: one multiplication, so that no compiler can round it in two ways.
fn filter_eighths(value: f32) -> i32 {
  return i32(floor(clamp(value * (8.0 * filter_options.inverse_temperature), -1e9, 1e9)));
}

// The i-th class that is still in question: (key, class). 0 ≤ i < filter_length().
fn filter_element(i: u32) -> vec2<u32> {
  if (filter_listed == FILTER_UNLISTED) {
    return vec2<u32>(filter_key(filter_bits(i)), i);
  }
  return filter_list[i];
}

fn filter_length() -> u32 {
  return min(filter_listed, filter_options.classes);
}

fn filter_order(element: vec2<u32>) -> vec3<u32> {
  let step = clamp(filter_top_step - filter_eighths(filter_value(element.x)), 0, 255);
  return vec3<u32>(255u - u32(step), element.x, 0xffffu - element.y);
}

fn filter_reaches(order: vec3<u32>, border: FilterBorder) -> bool {
  let masked = order & border.mask;
  if (masked.x != border.least.x) {
    return masked.x > border.least.x;
  }
  if (masked.y != border.least.y) {
    return masked.y > border.least.y;
  }
  return masked.z >= border.least.z;
}

// Whether the filter keeps an element; valid after filter_select.
fn filter_keeps(element: vec2<u32>) -> bool {
  let order = filter_order(element);
  return element.x != 0u && filter_reaches(order, filter_top_k) && filter_reaches(order, filter_top_p);
}

// Where a level's 8 bits lie in the order.
fn filter_digit_mask(level: u32) -> vec3<u32> {
  if (level == 0u) {
    return vec3<u32>(255u, 0u, 0u);
  }
  if (level < FILTER_LEVELS_WITH_TIES) {
    return vec3<u32>(0u, 255u << (8u * (4u - level)), 0u);
  }
  return vec3<u32>(0u, 0u, 255u << (8u * (6u - level)));
}

fn filter_digit(order: vec3<u32>, level: u32) -> u32 {
  let masked = order & filter_digit_mask(level);
  return (masked.x | masked.y | masked.z) >> filter_digit_shift(level);
}

fn filter_digit_shift(level: u32) -> u32 {
  return select(select(8u * (6u - level), 8u * (4u - level), level < FILTER_LEVELS_WITH_TIES), 0u, level == 0u);
}

// Adds low and high words and counts.
fn filter_add(a: vec3<u32>, b: vec3<u32>) -> vec3<u32> {
  let low = a.x + b.x;
  return vec3<u32>(low, a.y + b.y + u32(low < a.x), a.z + b.z);
}

fn filter_exceeds(sum: vec3<u32>, limit: vec2<u32>) -> bool {
  return sum.y > limit.y || (sum.y == limit.y && sum.x > limit.x);
}

// The upper 32 bits of a product.
fn filter_multiply_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

// total · share / 2³², rounded down.
fn filter_share(total: vec3<u32>, share: u32) -> vec2<u32> {
  let high = vec3<u32>(total.y * share, filter_multiply_high(total.y, share), 0u);
  return filter_add(high, vec3<u32>(filter_multiply_high(total.x, share), 0u, 0u)).xy;
}

fn filter_bin(bin: u32) -> vec3<u32> {
  return vec3<u32>(atomicLoad(&filter_low[bin]), atomicLoad(&filter_high[bin]), atomicLoad(&filter_count[bin]));
}

// One thread: walks the histogram of a level from its largest digit to the one in which the limit is exceeded (or the
// last that is not empty).
fn filter_walk(before: FilterStep, level: u32, by_mass: bool) -> FilterStep {
  var step = before;
  if (by_mass && level == 0u) {
    var total = vec3<u32>();
    for (var group = 0u; group < 16u; group++) {
      total = filter_add(total, filter_group[group]);
    }
    step.limit = filter_share(total, filter_options.top_p);
  }
  var found = 0u;
  var sum = step.above;
  for (var group = 16u; group > 0u; ) {
    group--;
    if (filter_group[group].z == 0u) {
      continue;
    }
    found = group;
    step.above = sum;
    sum = filter_add(sum, filter_group[group]);
    if (filter_exceeds(sum, step.limit)) {
      break;
    }
  }
  let first = found * 16u;
  sum = step.above;
  for (var bin = first + 16u; bin > first; ) {
    bin--;
    let content = filter_bin(bin);
    if (content.z == 0u) {
      continue;
    }
    found = bin;
    step.above = sum;
    sum = filter_add(sum, content);
    if (filter_exceeds(sum, step.limit)) {
      break;
    }
  }
  let mask = filter_digit_mask(level);
  step.border.mask |= mask;
  step.border.least |= vec3<u32>(found << filter_digit_shift(level)) & mask;
  step.list = u32(filter_listed == FILTER_UNLISTED && sum.z <= FILTER_CAPACITY);
  step.last = u32(sum.z - step.above.z <= 1u);
  return step;
}

// Finds the border among the classes that top-k left. All threads call it; so must every caller's control flow be uniform.
fn filter_search(local: u32, by_mass: bool, levels: u32) -> FilterBorder {
  var step = FilterStep();
  step.limit = vec2<u32>(filter_options.top_k - 1u, 0u);
  for (var level = 0u; level < levels; level++) {
    for (var bin = local; bin < 256u; bin += FILTER_THREADS) {
      atomicStore(&filter_low[bin], 0u);
      atomicStore(&filter_high[bin], 0u);
      atomicStore(&filter_count[bin], 0u);
    }
    workgroupBarrier();
    for (var i = local; i < filter_length(); i += FILTER_THREADS) {
      let element = filter_element(i);
      let order = filter_order(element);
      if (element.x == 0u || !filter_reaches(order, filter_top_k) || any((order & step.border.mask) != step.border.least)) {
        continue;
      }
      let digit = filter_digit(order, level);
      var mass = 1u;
      if (by_mass) {
        mass = filter_mass(element.x);
      }
      atomicAdd(&filter_count[digit], 1u);
      if (atomicAdd(&filter_low[digit], mass) > 0xffffffffu - mass) {
        atomicAdd(&filter_high[digit], 1u);
      }
    }
    workgroupBarrier();
    if (local < 16u) {
      var sum = vec3<u32>();
      for (var bin = 0u; bin < 16u; bin++) {
        sum = filter_add(sum, filter_bin(local * 16u + bin));
      }
      filter_group[local] = sum;
    }
    workgroupBarrier();
    if (local == 0u) {
      filter_step = filter_walk(step, level, by_mass);
    }
    step = workgroupUniformLoad(&filter_step);
    if (step.list == 1u) {
      for (var i = local; i < filter_options.classes; i += FILTER_THREADS) {
        let element = filter_element(i);
        let order = filter_order(element);
        if (element.x != 0u && filter_reaches(order, filter_top_k) && filter_reaches(order, step.border)) {
          filter_list[min(atomicAdd(&filter_list_length, 1u), FILTER_CAPACITY - 1u)] = element;
        }
      }
      workgroupBarrier();
      filter_listed = min(atomicLoad(&filter_list_length), FILTER_CAPACITY);
    }
    if (step.last == 1u) {
      break;
    }
  }
  return step.border;
}

// Finds the largest logit. Nothing is filtered yet; false when every class is excluded. Uniform control flow only.
fn filter_begin(options: FilterOptions, local: u32) -> bool {
  filter_options = options;
  filter_listed = FILTER_UNLISTED;
  var best = 0u;
  for (var i = local; i < options.classes; i += FILTER_THREADS) {
    best = max(best, filter_key(filter_bits(i)));
  }
  atomicMax(&filter_best_key, best);
  workgroupBarrier();
  let key = atomicLoad(&filter_best_key);
  filter_maximum = filter_value(key);
  filter_top_step = filter_eighths(filter_maximum);
  return key != 0u;
}

// Applies top-k, then top-p. Call after filter_begin, in uniform control flow.
fn filter_select(top_k: u32, top_p: u32, classes: u32, local: u32) {
  if (top_k > 0u && top_k < classes) {
    filter_top_k = filter_search(local, false, FILTER_LEVELS_WITH_TIES);
  }
  if (top_p > 0u) {
    filter_top_p = filter_search(local, true, FILTER_LEVELS);
  }
}
