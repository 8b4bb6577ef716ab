import { RudolphError } from '../../errors';
import { f32, packParams } from '../../gpu/kernel';
import { type Activation, grid, type Recording } from './recording';

const GROUPS = 32;
const EPS = 1e-6;
const WORKGROUP = 64;

/**
 * Records GroupNorm (32 groups, eps 1e-6) with `<name>.weight` and `<name>.bias`, then swish unless told otherwise.
 * @param x (height, width, channels), channels a multiple of 32; it is left as it is.
 */
export async function groupNorm(
  recording: Recording,
  name: string,
  x: Activation,
  options: { swish: boolean },
): Promise<Activation> {
  const { channels } = x;
  if (channels % GROUPS !== 0) {
    throw new RudolphError(
      'bad-model',
      `group_norm: ${name} has ${channels} channels, expected a multiple of ${GROUPS}`,
      { tensor: name },
    );
  }
  const gain = recording.vector(`${name}.weight`, channels);
  const bias = recording.vector(`${name}.bias`, channels);
  const pixels = x.width * x.height;
  // Pixels that one thread of group_norm_moments reads: few where there are many threads.
  const chunk = recording.tiled ? 64 : 512;
  const chunks = Math.ceil(pixels / chunk);
  const [moments, affine, apply] = await Promise.all([
    recording.gpu.kernels.get({ name: 'group_norm_moments' }),
    recording.gpu.kernels.get({ name: 'group_norm_affine', constants: { WORKGROUP: recording.sumWorkgroup } }),
    recording.gpu.kernels.get({ name: 'group_norm_apply', constants: { SWISH: options.swish ? 1 : 0 } }),
  ]);
  const momentsBuffer = recording.scratch('group norm moments', chunks * channels * 8);
  const affineBuffer = recording.scratch('group norm affine', 2 * channels * 4);
  const y = recording.activation(name, x.width, x.height, channels);
  recording.dispatches.push(
    moments.dispatch(recording.arena, {
      params: packParams([pixels, channels, chunk, chunks * channels]),
      bindings: [x.buffer, momentsBuffer],
      workgroups: grid(Math.ceil((chunks * channels) / WORKGROUP)),
      work: 4 * pixels * channels,
    }),
    affine.dispatch(recording.arena, {
      params: packParams([pixels, channels, chunk, chunks, channels / GROUPS, f32(EPS)]),
      bindings: [momentsBuffer, gain, affineBuffer],
      workgroups: [GROUPS],
      work: 4 * chunks * channels,
    }),
    apply.dispatch(recording.arena, {
      params: packParams([channels / 4, (pixels * channels) / 4]),
      bindings: [x.buffer, affineBuffer, bias, y.buffer],
      workgroups: grid(Math.ceil((pixels * channels) / 4 / WORKGROUP)),
      work: 8 * pixels * channels,
    }),
  );
  recording.release(momentsBuffer, affineBuffer);
  return y;
}
