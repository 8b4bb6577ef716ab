// Merges the moments of a group's chunks: mean = Σ nᵢ·meanᵢ / N, variance = Σ (squaresᵢ + nᵢ·(meanᵢ − mean)²) / N,
// and writes for each of the group's channels the mean and gain / sqrt(variance + eps).
// One workgroup a group: dispatch (groups, 1, 1).
override WORKGROUP: u32 = 64;

struct Params { pixels: u32, channels: u32, chunk: u32, chunks: u32, group_width: u32, eps: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> moments: array<vec2<f32>>;  // (chunks, channels): mean, squares
@group(0) @binding(2) var<storage, read> gain: array<f32>;           // (channels)
@group(0) @binding(3) var<storage, read_write> affine: array<f32>;   // (2, channels): mean, scale

var<workgroup> partial: array<f32, WORKGROUP>;

// The sum of every thread's value, for all of them.
fn sum_threads(index: u32, value: f32) -> f32 {
  partial[index] = value;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      partial[index] += partial[index + half];
    }
    workgroupBarrier();
  }
  let total = partial[0];
  workgroupBarrier();
  return total;
}

fn chunk_size(chunk: u32) -> f32 {
  return f32(min(params.chunk, params.pixels - chunk * params.chunk));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let first = workgroup.x * params.group_width;
  let items = params.chunks * params.group_width;
  let n = f32(params.pixels) * f32(params.group_width);

  var sum = 0.0;
  for (var item = index; item < items; item += WORKGROUP) {
    let chunk = item / params.group_width;
    sum += chunk_size(chunk) * moments[chunk * params.channels + first + item % params.group_width].x;
  }
  let mean = sum_threads(index, sum) / n;

  var squares = 0.0;
  for (var item = index; item < items; item += WORKGROUP) {
    let chunk = item / params.group_width;
    let moment = moments[chunk * params.channels + first + item % params.group_width];
    let d = moment.x - mean;
    squares += moment.y + chunk_size(chunk) * d * d;
  }
  let scale = 1.0 / sqrt(sum_threads(index, squares) / n + params.eps);

  for (var c = first + index; c < first + params.group_width; c += WORKGROUP) {
    affine[c] = mean;
    affine[params.channels + c] = scale * gain[c];
  }
}
