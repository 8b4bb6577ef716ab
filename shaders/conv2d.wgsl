// y[p, n] = bias[n] + Σ_(tap, c) x[pixel(p, tap), c] · w[n, tap, c], zero outside the picture;
// with `accumulate` added to what y held.
// Taps run over a kernel × kernel box; the input may be enlarged twofold (nearest) before, the output thinned by `step`.
//
// An implicit GEMM: a workgroup computes a tile of (4·THREADS_M pixels) × (4·THREADS_N channels), each thread 4 × 4 of it,
// walking K = kernel²·channels in steps of 16 that lie in workgroup memory. Channels come in eights, so eight consecutive k
// share a tap. Software adapters have `conv2d_direct` and `conv2d_subgroup`.
// Dispatch (ceil(y_stride / 4·THREADS_N), ceil((end_pixel − first_pixel) / 4·THREADS_M), 1).
// Needs parts weights_* (w; a row of it is `row_chunks` chunks of eight), convolution.
override THREADS_M: u32 = 8;
override THREADS_N: u32 = 8;
const PER_THREAD: u32 = 4;
const K_TILE: u32 = 16;

// Four k a vec4, and what a thread's neighbours read lies side by side: slot j·THREADS + t is the thread's pixel t + j·THREADS_M
// or channel 4·t + j, so that a thread's channels are one vec4 of y.
var<workgroup> x_tile: array<vec4<f32>, (K_TILE / 4) * PER_THREAD * THREADS_M>; // (K_TILE/4, pixels)
var<workgroup> w_tile: array<vec4<f32>, (K_TILE / 4) * PER_THREAD * THREADS_N>; // (K_TILE/4, channels)

// Eight values of x for output pixel p at k…k+7.
fn input8(p: u32, k: u32) -> Weights8 {
  let tap = k / params.x_stride;
  let start = source(corner(p), tap);
  if (start == OUTSIDE || p >= params.end_pixel || tap >= params.kernel * params.kernel) {
    return Weights8(vec4<f32>(), vec4<f32>());
  }
  let at = start + (k % params.x_stride) / 4u;
  return Weights8(x[at], x[at + 1u]);
}

// w[n, k…k+7]
fn filter8(n: u32, k: u32) -> Weights8 {
  if (n >= params.y_channels || k >= params.kernel * params.kernel * params.x_stride) {
    return Weights8(vec4<f32>(), vec4<f32>());
  }
  return weights8(n * params.row_chunks + k / 8u);
}

// The dot products of four k of a pixel with four channels.
fn dots(a: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(dot(a, w0), dot(a, w1), dot(a, w2), dot(a, w3));
}

// The sums of pixels p, p + THREADS_M, … (one a column) with channels n…n+3, through tiles in workgroup memory.
fn tiled_sums(thread: vec2<u32>, pixel0: u32, channel0: u32) -> mat4x4<f32> {
  let tile_m = PER_THREAD * THREADS_M;
  let tile_n = PER_THREAD * THREADS_N;
  let k_end = params.kernel * params.kernel * params.x_stride;
  let x_loads = tile_m * (K_TILE / 8u);
  let loads = x_loads + tile_n * (K_TILE / 8u);
  var sums = mat4x4<f32>();
  for (var k0 = 0u; k0 < k_end; k0 += K_TILE) {
    for (var load = thread.y * THREADS_N + thread.x; load < loads; load += THREADS_M * THREADS_N) {
      if (load < x_loads) {
        let m = load % tile_m;
        let k8 = load / tile_m;
        let values = input8(pixel0 + m, k0 + 8u * k8);
        x_tile[2u * k8 * tile_m + m] = values.low;
        x_tile[(2u * k8 + 1u) * tile_m + m] = values.high;
      } else {
        let row = (load - x_loads) % tile_n;
        let k8 = (load - x_loads) / tile_n;
        let values = filter8(channel0 + row, k0 + 8u * k8);
        let slot = (row % PER_THREAD) * THREADS_N + row / PER_THREAD;
        w_tile[2u * k8 * tile_n + slot] = values.low;
        w_tile[(2u * k8 + 1u) * tile_n + slot] = values.high;
      }
    }
    workgroupBarrier();

    for (var k4 = 0u; k4 < min(K_TILE, k_end - k0) / 4u; k4++) {
      let xs = k4 * tile_m + thread.y;
      let ws = k4 * tile_n + thread.x;
      let w0 = w_tile[ws];
      let w1 = w_tile[ws + THREADS_N];
      let w2 = w_tile[ws + 2u * THREADS_N];
      let w3 = w_tile[ws + 3u * THREADS_N];
      sums[0] += dots(x_tile[xs], w0, w1, w2, w3);
      sums[1] += dots(x_tile[xs + THREADS_M], w0, w1, w2, w3);
      sums[2] += dots(x_tile[xs + 2u * THREADS_M], w0, w1, w2, w3);
      sums[3] += dots(x_tile[xs + 3u * THREADS_M], w0, w1, w2, w3);
    }
    workgroupBarrier();
  }
  return sums;
}

@compute @workgroup_size(THREADS_N, THREADS_M)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) thread: vec3<u32>) {
  let pixel0 = params.first_pixel + workgroup.y * PER_THREAD * THREADS_M;
  let channel0 = workgroup.x * PER_THREAD * THREADS_N;
  let p = pixel0 + thread.y;
  let n = channel0 + PER_THREAD * thread.x;
  let sums = tiled_sums(thread.xy, pixel0, channel0);
  store(p, n / 4u, sums[0]);
  store(p + THREADS_M, n / 4u, sums[1]);
  store(p + 2u * THREADS_M, n / 4u, sums[2]);
  store(p + 3u * THREADS_M, n / 4u, sums[3]);
}
