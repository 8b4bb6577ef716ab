// The convolution that `conv2d` computes, for software adapters with subgroups of 8 (lavapipe): 4 pixels × 4 channels an invocation, and a
// pixel's values are loaded once for the 32 channels of a workgroup (see `matmul_subgroup`).
// Dispatch (ceil(y_stride / 32), ceil((end_pixel − first_pixel) / 4), 1).
// Needs parts weights_* (w; a row of it is `row_chunks` chunks of eight), dots, lanes, convolution.
const LANES = 8u;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let first = params.first_pixel + 4u * group.y;
  let channel = 4u * (LANES * group.x + lane);
  // Pixels and channels beyond the last repeat the last one and are not stored, or as 0: all lanes have to pass round what they loaded.
#each n 4
  let row$n = min(channel + $nu, params.y_channels - 1u) * params.row_chunks;
#end
#each m 4
  let corner$m = corner(min(first + $mu, params.end_pixel - 1u));
  var sums$m = vec4<f32>();
#end
  let pixel = params.x_stride / 4u;
  var chunk = 0u;
  for (var tap = 0u; tap < params.kernel * params.kernel; tap++) {
#each m 4
    let start$m = source(corner$m, tap);
    let counts$m = select(1.0, 0.0, start$m == OUTSIDE);
    let at$m = select(start$m, 0u, start$m == OUTSIDE) + lane / 4u;
#end
    for (var c4 = 0u; c4 < pixel; c4 += 2u) {
#each n 4
      let w$n = weights8(row$n + chunk);
#end
#each m 4
      let mine$m = counts$m * x[at$m + c4][lane % 4u];
      sums$m += dots8(from_lanes0_to_3(mine$m), from_lanes4_to_7(mine$m), w0, w1, w2, w3);
#end
      chunk++;
    }
  }
  // Channels that only fill the row up to y_stride are 0.
  let exists = select(vec4<f32>(), vec4<f32>(1.0), channel + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(params.y_channels));
#each m 4
  store(first + $mu, channel / 4u, exists * sums$m);
#end
}
