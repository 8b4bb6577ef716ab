import { PRESETS, withMasks } from '../src/convert/config';
import { imageTokenizerTensors } from '../src/convert/imageTokenizer';
import { planTransformer, planWhole } from '../src/convert/plan';
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
function halvesPattern(): Uint16Array {
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
  const { encoder, decoder } = imageTokenizerTensors(imageTokenizer);
  for (const [component, expected] of [
    ['imageEncoder', encoder],
    ['imageDecoder', decoder],
  ] as const) {
    add(
      component,
      expected.map((tensor) => planWhole(component, tensor.key, tensor)),
    );
  }
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
      return tensor.dtype === 'f16' ? randomHalves(tensor.name, first, byteLength) : vectorBytes(tensor, byteLength);
    },
  };
}

/** The random halves of a tensor by its name, `byteLength` bytes from byte `first` on. */
export function randomHalves(name: string, first: number, byteLength: number): ArrayBuffer {
  const source = halvesPattern();
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
