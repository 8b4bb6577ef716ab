import { layerMaskKinds, sequenceLength } from '../../src/format/geometry';
import { FORMAT_VERSION, type Manifest, type ModelConfig } from '../../src/format/manifest';
import type { ModelSource } from '../../src/format/modelSource';
import { float32ToFloat16 } from '../../src/format/float16';
import { rowStrideOf, ShardWriter } from '../../src/format/shards';
import { randomArray } from './compare';

/** A small transformer whose widths are no powers of two: 3 heads of 40, 5 layers, 6×6 image tokens. */
export const SMALL: ModelConfig = {
  layers: 5,
  hidden: 120,
  heads: 3,
  leftLength: 10,
  imageSide: 6,
  rightLength: 12,
  textVocabulary: 90 + 6 + 10,
  textSpecialTokens: 6,
  imageVocabulary: 50 + 4,
  imageSpecialTokens: 4,
  convKernel: 3,
  lastConvKernel: 5,
  layerMasks: layerMaskKinds(5),
  masks: { form: 'standard', rightSeesLeft: true },
};

/** A transformer with random weights as a model in memory; no tokenizer, no image tokenizer. `masks` are bitsets by kind. */
export async function randomModel(
  config: ModelConfig,
  seed = 1,
  masks: Readonly<Record<string, Uint32Array>> = {},
): Promise<ModelSource> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const sink = {
    write: async (file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> => void files.set(file, bytes),
  };
  // Small shards, so that tensors cross borders.
  const writer = new ShardWriter('transformer', sink, 64 * 1024);
  let next = seed * 1000;
  const matrix = async (name: string, rows: number, columns: number, scale: number): Promise<void> => {
    const stride = rowStrideOf('f16', [rows, columns]);
    const values = randomArray(next++, rows * columns, scale);
    const padded = new Float32Array(rows * stride);
    for (let r = 0; r < rows; r++) padded.set(values.subarray(r * columns, (r + 1) * columns), r * stride);
    await writer.begin(name, 'f16', [rows, columns]);
    await writer.append(float32ToFloat16(padded));
  };
  const vector = async (name: string, shape: readonly number[], scale: number, offset = 0): Promise<void> => {
    await writer.begin(name, 'f32', shape);
    await writer.append(
      randomArray(
        next++,
        shape.reduce((a, b) => a * b, 1),
        scale,
      ).map((value) => value + offset),
    );
  };
  const { hidden, textVocabulary, imageVocabulary, leftLength, rightLength, imageSide } = config;
  await matrix('text_embeddings', textVocabulary, hidden, 1);
  await matrix('image_embeddings', imageVocabulary, hidden, 1);
  await matrix('left_positions', leftLength + 1, hidden, 0.5);
  await matrix('right_positions', rightLength + 1, hidden, 0.5);
  await matrix('image_rows', imageSide, hidden, 0.5);
  await matrix('image_columns', imageSide, hidden, 0.5);
  for (const [kind, bits] of Object.entries(masks)) {
    const length = sequenceLength(config);
    await writer.begin(`masks.${kind}`, 'u32', [length, Math.ceil(length / 32)]);
    await writer.append(bits);
  }
  const scale = 2 / Math.sqrt(hidden);
  for (let layer = 0; layer < config.layers; layer++) {
    await vector(`layers.${layer}.norms`, [8, hidden], 0.5, 0.5);
    for (const [name, rows, columns] of [
      ['qkv', 3 * hidden, hidden],
      ['attention_out', hidden, hidden],
      ['mlp_in', 4 * hidden, hidden],
      ['mlp_out', hidden, 4 * hidden],
    ] as const) {
      await matrix(`layers.${layer}.${name}.weight`, rows, columns, scale);
      await vector(`layers.${layer}.${name}.bias`, [rows], 0.1);
    }
  }
  await vector('final.norms', [4, hidden], 0.5, 0.5);
  await matrix('text_logits.weight', textVocabulary, hidden, 3 * scale);
  await vector('text_logits.bias', [textVocabulary], 0.5);
  await matrix('image_logits.weight', imageVocabulary, hidden, 3 * scale);
  await vector('image_logits.bias', [imageVocabulary], 0.5);
  await writer.finish();
  const bpe = textVocabulary - leftLength - config.textSpecialTokens;
  const manifest: Manifest = {
    formatVersion: FORMAT_VERSION,
    name: 'random',
    config,
    specialTokens: { LT_T2I: bpe + 2, LT_I2T: bpe + 3, RT_I2T: bpe + 5 },
    imageTokenizer: null,
    components: { transformer: { byteLength: writer.byteLength, shards: writer.shards } },
    tensors: writer.tensors,
    producer: 'test',
  };
  return {
    manifest,
    shard: async ({ file }) => files.get(file)!.slice().buffer,
  };
}
