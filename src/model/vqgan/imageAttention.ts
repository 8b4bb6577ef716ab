import { f32, packParams } from '../../gpu/kernel';
import { conv2d, multiply } from './conv2d';
import { groupNorm } from './groupNorm';
import { type Activation, ceil8, grid, type Recording } from './recording';

const WORKGROUP = 64;

/**
 * Records taming's AttnBlock: x += proj_out(softmax(q·kᵀ / √c)·v), q, k, v 1×1 convolutions of GroupNorm(x).
 * The scores are (T, T) f32 for T = width·height, 4 MiB at T = 1024.
 */
export async function imageAttention(recording: Recording, name: string, x: Activation): Promise<Activation> {
  const { width, height, channels } = x;
  const tokens = width * height;
  const normed = await groupNorm(recording, `${name}.norm`, x, { swish: false });
  const q = await conv2d(recording, `${name}.q`, normed, { kernel: 1 });
  const k = await conv2d(recording, `${name}.k`, normed, { kernel: 1 });
  const v = await conv2d(recording, `${name}.v`, normed, { kernel: 1 });
  recording.release(normed);

  // scores[t, u] = q[t] · k[u]
  const scores = await multiply(
    recording,
    `${name} scores`,
    q,
    { part: 'weights_f32', binding: k.buffer, rows: tokens, rowStride: k.stride, bias: null },
    { kernel: 1 },
  );
  recording.release(q, k);
  await imageSoftmax(recording, scores, 1 / Math.sqrt(channels));

  // attended[t, c] = Σ_u scores[t, u] · v[u, c]
  const vRows = await imageTranspose(recording, v);
  const attended = await multiply(
    recording,
    `${name} attended`,
    scores,
    { part: 'weights_f32', binding: vRows, rows: channels, rowStride: scores.stride, bias: null },
    { kernel: 1 },
  );
  recording.release(scores, v, vRows);

  await conv2d(recording, `${name}.proj_out`, attended, { kernel: 1, onto: x });
  recording.release(attended);
  return x;
}

/** Records softmax(scale · row) of every pixel's row of channels, in place. */
export async function imageSoftmax(recording: Recording, scores: Activation, scale: number): Promise<void> {
  const kernel = await recording.gpu.kernels.get({
    name: 'image_softmax',
    constants: { WORKGROUP: recording.sumWorkgroup },
  });
  const rows = scores.width * scores.height;
  recording.dispatches.push(
    kernel.dispatch(recording.arena, {
      params: packParams([scores.channels, scores.stride, f32(scale)]),
      bindings: [scores.buffer],
      workgroups: [rows],
      work: 8 * rows * scores.stride,
    }),
  );
}

/** Records y[c, p] = x[p, c], rows of y zero-padded to a multiple of 8: (channels, ceil8(pixels)). The caller releases y. */
export async function imageTranspose(recording: Recording, x: Activation): Promise<GPUBuffer> {
  const kernel = await recording.gpu.kernels.get({ name: 'image_transpose' });
  const pixels = x.width * x.height;
  const stride = ceil8(pixels);
  const y = recording.scratch('transposed', x.channels * stride * 4);
  recording.dispatches.push(
    kernel.dispatch(recording.arena, {
      params: packParams([pixels, x.channels, x.stride, stride]),
      bindings: [x.buffer, y],
      workgroups: grid(Math.ceil((x.channels * stride) / WORKGROUP)),
      work: 2 * x.channels * stride,
    }),
  );
  return y;
}
