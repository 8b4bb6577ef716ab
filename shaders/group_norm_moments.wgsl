// mean = Σx / n and squares = Σ(x − mean)² of one channel over `chunk` pixels: the first half of GroupNorm.
// One thread a (chunk, channel), neighbours on neighbouring channels. Two passes over the chunk, and group_norm_affine merges
// chunks by their means: E[x²] − E[x]² would lose digits in f32.
// Dispatch: ceil(chunks · channels / WORKGROUP) workgroups in x and y.
override WORKGROUP: u32 = 64;

struct Params { pixels: u32, channels: u32, chunk: u32, count: u32 } // count = chunks · channels

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;                   // (pixels, channels)
@group(0) @binding(2) var<storage, read_write> moments: array<vec2<f32>>; // (chunks, channels): mean, squares

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP + index;
  if (item >= params.count) {
    return;
  }
  let channel = item % params.channels;
  let first = (item / params.channels) * params.chunk;
  let end = min(first + params.chunk, params.pixels);
  var sum = 0.0;
  for (var p = first; p < end; p++) {
    sum += x[p * params.channels + channel];
  }
  let mean = sum / f32(end - first);
  var squares = 0.0;
  for (var p = first; p < end; p++) {
    let d = x[p * params.channels + channel] - mean;
    squares += d * d;
  }
  moments[item] = vec2<f32>(mean, squares);
}
