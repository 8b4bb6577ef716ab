import type { ImageTokenizerConfig } from '../../format/manifest';
import { conv2d } from './conv2d';
import { groupNorm } from './groupNorm';
import { imageAttention } from './imageAttention';
import { codebookArgmax, embedCodes, imagePatches, imagePlanes, inverseHaar } from './pixels';
import type { Activation, Recording } from './recording';

/*
 * The f8 VQGAN of CompVis/taming-transformers (modules/diffusionmodules/model.py) as lists of kernels.
 * Each block takes its input over: the input's buffer is used again.
 */

/** x + conv2(swish(norm2(conv1(swish(norm1(x)))))); x through nin_shortcut where the width changes. */
async function resnetBlock(recording: Recording, name: string, x: Activation): Promise<Activation> {
  const normed1 = await groupNorm(recording, `${name}.norm1`, x, { swish: true });
  const hidden = await conv2d(recording, `${name}.conv1`, normed1, { kernel: 3 });
  recording.release(normed1);
  const normed2 = await groupNorm(recording, `${name}.norm2`, hidden, { swish: true });
  recording.release(hidden);
  let y = x;
  if (hidden.channels !== x.channels) {
    y = await conv2d(recording, `${name}.nin_shortcut`, x, { kernel: 1 });
    recording.release(x);
  }
  await conv2d(recording, `${name}.conv2`, normed2, { kernel: 3, onto: y });
  recording.release(normed2);
  return y;
}

async function middle(recording: Recording, name: string, x: Activation): Promise<Activation> {
  let h = await resnetBlock(recording, `${name}.block_1`, x);
  h = await imageAttention(recording, `${name}.attn_1`, h);
  return resnetBlock(recording, `${name}.block_2`, h);
}

/** A convolution that takes x over. */
async function consume(
  recording: Recording,
  name: string,
  x: Activation,
  kernel: 1 | 3,
  resize?: 'half' | 'double',
): Promise<Activation> {
  const y = await conv2d(recording, name, x, resize ? { kernel, resize } : { kernel });
  recording.release(x);
  return y;
}

async function finish(recording: Recording, name: string, x: Activation): Promise<Activation> {
  const normed = await groupNorm(recording, `${name}.norm_out`, x, { swish: true });
  recording.release(x);
  return consume(recording, `${name}.conv_out`, normed, 3);
}

/**
 * Records image → codebook indices.
 * @param image (imageChannels, height, width) f32 in 0…1
 * @param indices receives (height/8 · width/8) u32
 * @returns the logits, (height/8, width/8, codes)
 */
export async function recordEncoder(
  recording: Recording,
  config: ImageTokenizerConfig,
  image: GPUBuffer,
  width: number,
  height: number,
  indices: GPUBuffer,
): Promise<Activation> {
  const levels = config.multipliers.length;
  const patches = await imagePatches(recording, image, width, height, config.imageChannels);
  let h = await consume(recording, 'encoder.conv_in', patches, 1);
  for (let level = 0; level < levels; level++) {
    for (let block = 0; block < config.residualBlocks; block++) {
      h = await resnetBlock(recording, `encoder.down.${level}.block.${block}`, h);
      if (config.attentionLevels.includes(level))
        h = await imageAttention(recording, `encoder.down.${level}.attn.${block}`, h);
    }
    if (level < levels - 1) h = await consume(recording, `encoder.down.${level}.downsample.conv`, h, 3, 'half');
  }
  h = await middle(recording, 'encoder.mid', h);
  h = await finish(recording, 'encoder', h);
  h = await consume(recording, 'quant_conv', h, 1);
  const logits = await consume(recording, 'quantize.proj', h, 1);
  await codebookArgmax(recording, logits, indices);
  return logits;
}

/**
 * Records codebook indices → image.
 * @param indices (height · width) u32, all below `config.codes`
 * @param image receives (imageChannels, 8·height, 8·width) f32 in 0…1, twice as high and wide with `dwt`
 */
export async function recordDecoder(
  recording: Recording,
  config: ImageTokenizerConfig,
  indices: GPUBuffer,
  width: number,
  height: number,
  image: GPUBuffer,
  dwt: boolean,
): Promise<void> {
  let h = await embedCodes(recording, indices, width, height, config.embeddingSize);
  h = await consume(recording, 'post_quant_conv', h, 1);
  h = await consume(recording, 'decoder.conv_in', h, 3);
  h = await middle(recording, 'decoder.mid', h);
  for (let level = config.multipliers.length - 1; level >= 0; level--) {
    for (let block = 0; block <= config.residualBlocks; block++) {
      h = await resnetBlock(recording, `decoder.up.${level}.block.${block}`, h);
      if (config.attentionLevels.includes(level))
        h = await imageAttention(recording, `decoder.up.${level}.attn.${block}`, h);
    }
    if (level > 0) h = await consume(recording, `decoder.up.${level}.upsample.conv`, h, 3, 'double');
  }
  h = await finish(recording, 'decoder', h);
  const expected = config.imageChannels * (dwt ? 4 : 1);
  if (h.channels !== expected)
    throw new Error(`the ${dwt ? 'DWT ' : ''}decoder ends in ${h.channels} channels, expected ${expected}`);
  await (dwt ? inverseHaar : imagePlanes)(recording, h, image);
}
