import { PRESETS, withMasks } from '../src/convert/config';
import { planTransformer } from '../src/convert/plan';
import { float16Bits } from '../src/format/float16';
import {
  type ImageTokenizerConfig,
  type Manifest,
  type ModelConfig,
  SHARD_BYTES,
  TENSOR_ALIGNMENT,
} from '../src/format/manifest';
import type { ComponentName, DType, ShardEntry, TensorEntry } from '../src/format/manifest';
import type { ModelSource } from '../src/format/modelSource';
import { rowStrideOf, tensorByteLength } from '../src/format/shards';

export type PresetName = '350M' | '1.3B' | '2.7B';

/** Upstream's image tokenizer. */
const IMAGE_TOKENIZER: ImageTokenizerConfig = {
  channels: 128,
  multipliers: [1, 1, 2, 4],
  residualBlocks: 2,
  zChannels: 256,
  embeddingSize: 256,
  codes: 8192,
  attentionLevels: [3],
  imageChannels: 3,
};

/** A preset's config, with standard masks. */
export function presetConfig(name: PresetName): ModelConfig {
  return withMasks(PRESETS[name], { form: 'standard', rightSeesLeft: true });
}

/** Numbers before they repeat. */
const PATTERN_LENGTH = 2 ** 24;

let pattern: Uint16Array | undefined;

/**
 * Random halves, ±1/16 in steps of 2⁻¹⁵: exact in fp16, so that bench/peer/export_onnx.py makes the very same ones with numpy. A
 * standard deviation of 1/28 keeps activations of width 1024 about where they are.
 */
function randomHalves(): Uint16Array {
  if (pattern) return pattern;
  const halves = Uint16Array.from({ length: 4096 }, (_, i) => float16Bits((i - 2048) / 2 ** 15));
  pattern = new Uint16Array(PATTERN_LENGTH);
  for (let i = 0; i < PATTERN_LENGTH; i++) {
    let h = Math.imul(i, 2654435761);
    h ^= h >>> 15;
    h = Math.imul(h, 2246822519);
    h ^= h >>> 13;
    pattern[i] = halves[(h >>> 8) & 0xfff]!;
  }
  return pattern;
}

/** Where a tensor's numbers start: FNV-1a of its name, so that the order of tensors does not matter. */
function patternStart(name: string): number {
  let h = 2166136261;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619) >>> 0;
  return (h * 8) % PATTERN_LENGTH;
}

interface Planned {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * A model of any size on random weights: no files, and no more memory than a shard and the pattern. Norms have gains of 1 and no bias.
 * It has no tokenizer.
 */
export function randomModel(
  name: string,
  config: ModelConfig,
  imageTokenizer: ImageTokenizerConfig = IMAGE_TOKENIZER,
): ModelSource {
  const { before, after } = planTransformer(config);
  const tensors: TensorEntry[] = [];
  const contents = new Map<string, { readonly tensor: Planned; readonly first: number }>();
  const components: Manifest['components'] = {};
  const add = (component: ComponentName, planned: readonly Planned[]): void => {
    const shards: ShardEntry[] = [];
    let offset = 0;
    for (const tensor of planned) {
      const { dtype, shape } = tensor;
      const byteLength = tensorByteLength(dtype, shape);
      tensors.push({
        name: tensor.name,
        dtype,
        shape,
        rowStride: rowStrideOf(dtype, shape),
        component,
        offset,
        byteLength,
      });
      // A tensor's shards hold nothing else, so that each can be made without the others.
      const padded = Math.ceil(byteLength / TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT;
      for (let first = 0; first < padded; first += SHARD_BYTES) {
        const file = `${component} ${tensor.name} ${first}`;
        contents.set(file, { tensor, first });
        shards.push({ file, byteLength: Math.min(SHARD_BYTES, padded - first), sha256: '' });
      }
      offset += padded;
    }
    components[component] = { byteLength: offset, shards };
  };
  add('transformer', [...before, ...after]);
  add('imageEncoder', encoderTensors(imageTokenizer));
  add('imageDecoder', decoderTensors(imageTokenizer));
  return {
    manifest: {
      formatVersion: 1,
      name,
      config,
      specialTokens: null,
      imageTokenizer,
      components,
      tensors,
      producer: 'bench',
    },
    shard: async ({ file, byteLength }) => {
      const { tensor, first } = contents.get(file)!;
      return tensor.dtype === 'f16' ? matrixBytes(tensor.name, first, byteLength) : vectorBytes(tensor, byteLength);
    },
  };
}

function matrixBytes(name: string, first: number, byteLength: number): ArrayBuffer {
  const source = randomHalves();
  const halves = new Uint16Array(byteLength / 2);
  let at = (patternStart(name) + first / 2) % PATTERN_LENGTH;
  for (let filled = 0; filled < halves.length; at = 0) {
    const count = Math.min(halves.length - filled, PATTERN_LENGTH - at);
    halves.set(source.subarray(at, at + count), filled);
    filled += count;
  }
  return halves.buffer;
}

/** Stacked norms are gain, bias, gain, bias, …; of single vectors the gains are called `…norm….weight`. */
function vectorBytes({ name, shape }: Planned, byteLength: number): ArrayBuffer {
  const values = new Float32Array(byteLength / 4);
  if (shape.length === 2) {
    for (let row = 0; row < shape[0]!; row += 2) values.fill(1, row * shape[1]!, (row + 1) * shape[1]!);
  } else if (name.endsWith('.weight')) values.fill(1);
  return values.buffer;
}

/** Convolutions are [out, ky, kx, in]. */
class Layers {
  readonly tensors: Planned[] = [];
  conv(name: string, out: number, inputs: number, size: number): void {
    this.tensors.push({ name: `${name}.weight`, dtype: 'f16', shape: [out, size, size, inputs] });
    this.tensors.push({ name: `${name}.bias`, dtype: 'f32', shape: [out] });
  }
  norm(name: string, width: number): void {
    for (const part of ['weight', 'bias']) this.tensors.push({ name: `${name}.${part}`, dtype: 'f32', shape: [width] });
  }
  block(name: string, inputs: number, out: number): void {
    this.norm(`${name}.norm1`, inputs);
    this.conv(`${name}.conv1`, out, inputs, 3);
    this.norm(`${name}.norm2`, out);
    this.conv(`${name}.conv2`, out, out, 3);
    if (inputs !== out) this.conv(`${name}.nin_shortcut`, out, inputs, 1);
  }
  attention(name: string, width: number): void {
    this.norm(`${name}.norm`, width);
    for (const part of ['q', 'k', 'v', 'proj_out']) this.conv(`${name}.${part}`, width, width, 1);
  }
  middle(name: string, width: number): void {
    this.block(`${name}.block_1`, width, width);
    this.attention(`${name}.attn_1`, width);
    this.block(`${name}.block_2`, width, width);
  }
}

function encoderTensors(config: ImageTokenizerConfig): Planned[] {
  const layers = new Layers();
  const { channels, multipliers, attentionLevels } = config;
  layers.conv('encoder.conv_in', channels, config.imageChannels, 3);
  let width = channels;
  multipliers.forEach((multiplier, level) => {
    for (let i = 0; i < config.residualBlocks; i++) {
      layers.block(`encoder.down.${level}.block.${i}`, width, channels * multiplier);
      width = channels * multiplier;
      if (attentionLevels.includes(level)) layers.attention(`encoder.down.${level}.attn.${i}`, width);
    }
    if (level < multipliers.length - 1) layers.conv(`encoder.down.${level}.downsample.conv`, width, width, 3);
  });
  layers.middle('encoder.mid', width);
  layers.norm('encoder.norm_out', width);
  layers.conv('encoder.conv_out', config.zChannels, width, 3);
  layers.conv('quant_conv', config.embeddingSize, config.zChannels, 1);
  layers.conv('quantize.proj', config.codes, config.zChannels, 1);
  return layers.tensors;
}

function decoderTensors(config: ImageTokenizerConfig): Planned[] {
  const layers = new Layers();
  const { channels, multipliers, attentionLevels } = config;
  layers.tensors.push({ name: 'quantize.embed.weight', dtype: 'f16', shape: [config.codes, config.embeddingSize] });
  layers.conv('post_quant_conv', config.zChannels, config.embeddingSize, 1);
  let width = channels * multipliers.at(-1)!;
  layers.conv('decoder.conv_in', width, config.zChannels, 3);
  layers.middle('decoder.mid', width);
  for (let level = multipliers.length - 1; level >= 0; level--) {
    const out = channels * multipliers[level]!;
    for (let i = 0; i <= config.residualBlocks; i++) {
      layers.block(`decoder.up.${level}.block.${i}`, width, out);
      width = out;
      if (attentionLevels.includes(level)) layers.attention(`decoder.up.${level}.attn.${i}`, width);
    }
    if (level > 0) layers.conv(`decoder.up.${level}.upsample.conv`, width, width, 3);
  }
  layers.norm('decoder.norm_out', width);
  layers.conv('decoder.conv_out', config.imageChannels, width, 3);
  return layers.tensors;
}
