import { packParams } from '../../gpu/kernel';
import { type Activation, ceil8, grid, type Recording } from './recording';

const WORKGROUP = 64;

/**
 * Records the rows of the first convolution: the 3×3 surroundings of every pixel of 2·image − 1.
 * @param image (channels, height, width) f32 in 0…1
 */
export async function imagePatches(
  recording: Recording,
  image: GPUBuffer,
  width: number,
  height: number,
  channels: number,
): Promise<Activation> {
  const kernel = await recording.gpu.kernels.get({ name: 'image_patches' });
  const y = recording.activation('image patches', width, height, 9 * channels);
  const count = width * height * y.stride;
  recording.dispatches.push(
    kernel.dispatch(recording.arena, {
      params: packParams([width, height, channels, y.stride]),
      bindings: [image, y.buffer],
      workgroups: grid(Math.ceil(count / WORKGROUP)),
      work: 4 * count,
    }),
  );
  return y;
}

/** Records image[c] = (clamp(x, −1, 1) + 1) / 2 into `image`, (channels, height, width). */
export async function imagePlanes(recording: Recording, x: Activation, image: GPUBuffer): Promise<void> {
  const kernel = await recording.gpu.kernels.get({ name: 'image_planes' });
  const pixels = x.width * x.height;
  recording.dispatches.push(
    kernel.dispatch(recording.arena, {
      params: packParams([pixels, x.channels, x.stride]),
      bindings: [x.buffer, image],
      workgroups: grid(Math.ceil((pixels * x.channels) / WORKGROUP)),
      work: 4 * pixels * x.channels,
    }),
  );
}

/** Records the inverse Haar transform of x, (height, width, 4·channels), clamped to 0…1 into `image`, (channels, 2·height, 2·width). */
export async function inverseHaar(recording: Recording, x: Activation, image: GPUBuffer): Promise<void> {
  if (x.channels % 4 !== 0) throw new Error(`inverse_haar: x has ${x.channels} channels, expected a multiple of 4`);
  const kernel = await recording.gpu.kernels.get({ name: 'inverse_haar' });
  const count = x.width * x.height * x.channels;
  recording.dispatches.push(
    kernel.dispatch(recording.arena, {
      params: packParams([x.width, x.height, x.channels / 4, x.stride]),
      bindings: [x.buffer, image],
      workgroups: grid(Math.ceil(count / WORKGROUP)),
      work: 8 * count,
    }),
  );
}

/** Records the codebook's vectors in the place of `codes`, (width·height) u32, all below the number of codes. */
export async function embedCodes(
  recording: Recording,
  codes: GPUBuffer,
  width: number,
  height: number,
  channels: number,
): Promise<Activation> {
  const table = recording.tensor('quantize.embed.weight');
  if (table.dtype !== 'f16' || table.shape[1] !== channels || table.rowStride !== ceil8(channels)) {
    throw new Error(
      `embed_codes: ${table.name} is ${table.dtype} [${table.shape.join(', ')}] in rows of ${table.rowStride}, expected f16 of ${channels} columns`,
    );
  }
  const kernel = await recording.gpu.kernels.get({ name: 'embed_codes', parts: [recording.weightsPart] });
  const y = recording.activation('code vectors', width, height, channels);
  const items = (width * height * y.stride) / 8;
  recording.dispatches.push(
    kernel.dispatch(recording.arena, {
      params: packParams([width * height, y.stride]),
      bindings: [codes, y.buffer],
      partBindings: [table.buffer],
      workgroups: grid(Math.ceil(items / WORKGROUP)),
      work: 8 * items,
    }),
  );
  return y;
}

/** Records the index of the largest of each pixel's channels (the lowest of equals) into `codes`, (width·height) u32. */
export async function codebookArgmax(recording: Recording, logits: Activation, codes: GPUBuffer): Promise<void> {
  const kernel = await recording.gpu.kernels.get({
    name: 'codebook_argmax',
    constants: { WORKGROUP: recording.sumWorkgroup },
  });
  const pixels = logits.width * logits.height;
  recording.dispatches.push(
    kernel.dispatch(recording.arena, {
      params: packParams([pixels, logits.channels, logits.stride]),
      bindings: [logits.buffer, codes],
      workgroups: grid(pixels),
      work: 2 * pixels * logits.stride,
    }),
  );
}
