import type { ImageTokenizerConfig, Manifest } from '../../src/format/manifest';
import type { ModelSource } from '../../src/format/modelSource';
import type { Network } from '../twins/vqgan';
import { randomArray } from './compare';
import { type CheckpointTensor, memoryModel, roundToHalf } from './memoryModel';

/** Two levels only (a token is 2 × 2 pixels): small enough for a twin in plain loops. */
export const CONFIG: ImageTokenizerConfig = {
  channels: 32,
  multipliers: [1, 2],
  residualBlocks: 1,
  zChannels: 16,
  embeddingSize: 8,
  codes: 20,
  attentionLevels: [1],
  imageChannels: 3,
};

/** An image tokenizer of CONFIG with random weights, as a model in memory (one component) and for the twin. */
export function randomVqgan(seed = 1): { source: ModelSource; network: Network; dwt: Network } {
  const tensors: CheckpointTensor[] = [];
  let next = 100 * seed;
  const add = (name: string, shape: readonly number[], scale: number, offset = 0) => {
    const values = randomArray(
      next++,
      shape.reduce((a, b) => a * b, 1),
      scale,
    ).map((value) => value + offset);
    tensors.push({ name, shape, values: shape.length > 1 ? roundToHalf(values) : values });
  };
  const conv = (name: string, out: number, inputs: number, kernel: number) => {
    add(`${name}.weight`, [out, inputs, kernel, kernel], Math.sqrt(3 / (inputs * kernel * kernel)));
    add(`${name}.bias`, [out], 0.1);
  };
  const norm = (name: string, channels: number) => {
    add(`${name}.weight`, [channels], 0.3, 1);
    add(`${name}.bias`, [channels], 0.3);
  };
  const block = (name: string, inputs: number, out: number) => {
    norm(`${name}.norm1`, inputs);
    conv(`${name}.conv1`, out, inputs, 3);
    norm(`${name}.norm2`, out);
    conv(`${name}.conv2`, out, out, 3);
    if (inputs !== out) conv(`${name}.nin_shortcut`, out, inputs, 1);
  };
  const attention = (name: string, channels: number) => {
    norm(`${name}.norm`, channels);
    for (const part of ['q', 'k', 'v', 'proj_out']) conv(`${name}.${part}`, channels, channels, 1);
  };
  const middle = (name: string, channels: number) => {
    block(`${name}.block_1`, channels, channels);
    attention(`${name}.attn_1`, channels);
    block(`${name}.block_2`, channels, channels);
  };
  const decoder = (prefix: string, out: number) => {
    add(`${prefix}quantize.embed.weight`, [20, 8], 1);
    conv(`${prefix}post_quant_conv`, 16, 8, 1);
    conv(`${prefix}decoder.conv_in`, 64, 16, 3);
    middle(`${prefix}decoder.mid`, 64);
    for (const i of [0, 1]) {
      block(`${prefix}decoder.up.1.block.${i}`, 64, 64);
      attention(`${prefix}decoder.up.1.attn.${i}`, 64);
    }
    conv(`${prefix}decoder.up.1.upsample.conv`, 64, 64, 3);
    block(`${prefix}decoder.up.0.block.0`, 64, 32);
    block(`${prefix}decoder.up.0.block.1`, 32, 32);
    norm(`${prefix}decoder.norm_out`, 32);
    conv(`${prefix}decoder.conv_out`, out, 32, 3);
  };
  conv('encoder.conv_in', 32, 3, 3);
  block('encoder.down.0.block.0', 32, 32);
  conv('encoder.down.0.downsample.conv', 32, 32, 3);
  block('encoder.down.1.block.0', 32, 64);
  attention('encoder.down.1.attn.0', 64);
  middle('encoder.mid', 64);
  norm('encoder.norm_out', 64);
  conv('encoder.conv_out', 16, 64, 3);
  conv('quant_conv', 8, 16, 1);
  conv('quantize.proj', 20, 8, 1);
  decoder('', 3);
  decoder('dwt.', 12);
  const manifest: Partial<Manifest> = { config: { imageSide: 4 } as Manifest['config'], imageTokenizer: CONFIG };
  const network = (prefix: string): Network => ({
    tensors: new Map(
      tensors.filter(({ name }) => name.startsWith(prefix)).map((tensor) => [tensor.name.slice(prefix.length), tensor]),
    ),
    levels: 2,
    residualBlocks: 1,
    attentionLevels: [1],
  });
  return { source: memoryModel('imageDecoder', tensors, manifest), network: network(''), dwt: network('dwt.') };
}
