// The convolution that `conv2d` computes, for software adapters: straight from memory, without barriers, which cost more there than the
// processor's caches leave to save. An invocation computes 8 pixels × 8 channels, in sums with names (see `matmul_direct`).
// Dispatch (ceil(y_stride / 8), ceil((end_pixel − first_pixel) / 8·WORKGROUP), 1).
// Needs parts weights_* (w; a row of it is `row_chunks` chunks of eight), dots, convolution.
const WORKGROUP = 8u;

@compute @workgroup_size(1, WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let first = params.first_pixel + 8u * id.y;
  if (first >= params.end_pixel) { return; }
  // Pixels and channels beyond the last repeat the last one and are not stored, or as 0: cheaper than branches in the loop.
#each n 8
  let row$n = min(8u * id.x + $nu, params.y_channels - 1u) * params.row_chunks;
#end
#each m 8
  let corner$m = corner(min(first + $mu, params.end_pixel - 1u));
  var low$m = vec4<f32>();  // channels 0…3
  var high$m = vec4<f32>(); // channels 4…7
#end
  let pixel = params.x_stride / 4u;
  var chunk = 0u;
  for (var tap = 0u; tap < params.kernel * params.kernel; tap++) {
#each m 8
    let start$m = source(corner$m, tap);
    let counts$m = select(1.0, 0.0, start$m == OUTSIDE);
    let at$m = select(start$m, 0u, start$m == OUTSIDE);
#end
    for (var c4 = 0u; c4 < pixel; c4 += 2u) {
#each n 8
      let w$n = weights8(row$n + chunk);
#end
#each m 8
      let a$m = counts$m * x[at$m + c4];
      let b$m = counts$m * x[at$m + c4 + 1u];
      low$m += dots8(a$m, b$m, w0, w1, w2, w3);
      high$m += dots8(a$m, b$m, w4, w5, w6, w7);
#end
      chunk++;
    }
  }
  // Channels that only fill the row up to y_stride are 0.
  let channels = 8u * id.x + vec4<u32>(0u, 1u, 2u, 3u);
  let exists_low = select(vec4<f32>(), vec4<f32>(1.0), channels < vec4<u32>(params.y_channels));
  let exists_high = select(vec4<f32>(), vec4<f32>(1.0), channels + 4u < vec4<u32>(params.y_channels));
#each m 8
  store(first + $mu, 2u * id.x, exists_low * low$m);
  store(first + $mu, 2u * id.x + 1u, exists_high * high$m);
#end
}
