import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import type { ModelSizes } from '../../src/convert/config';
import { convertModel } from '../../src/convert/convert';
import { imageTokenizerTensors } from '../../src/convert/imageTokenizer';
import { MASK_KEYS, planTransformer } from '../../src/convert/plan';
import { memorySource } from '../../src/format/byteSource';
import { computeMask } from '../../src/format/geometry';
import { type ImageTokenizerConfig, type Manifest, MANIFEST_FILE, type MaskKind } from '../../src/format/manifest';
import { writeSafetensors } from '../../src/format/safetensors';
import { FakeObject, type FakeTensor, type PickleValue, torchLegacy, torchZip } from '../support/torchFiles';

/** A RUDOLPH that converts in a millisecond. */
const SIZES: ModelSizes = {
  layers: 1,
  hidden: 4,
  heads: 2,
  leftLength: 3,
  imageSide: 2,
  rightLength: 3,
  textVocabulary: 8 + 2 + 3,
  textSpecialTokens: 2,
  imageVocabulary: 16,
  imageSpecialTokens: 0,
  convKernel: 3,
  lastConvKernel: 5,
};
export const VQGAN: ImageTokenizerConfig = {
  channels: 32,
  multipliers: [1],
  residualBlocks: 1,
  zChannels: 4,
  embeddingSize: 4,
  codes: 16,
  attentionLevels: [],
  imageChannels: 3,
};
/** `SIZES` as a config file has them. */
export const CONFIG = {
  rudolph: {
    num_layers: 1,
    hidden_size: 4,
    num_attention_heads: 2,
    l_text_seq_length: 3,
    image_tokens_per_dim: 2,
    r_text_seq_length: 3,
    vocab_size: 11,
    text_special_tokens: 2,
    image_vocab_size: 16,
    image_special_tokens: 0,
    kernel_size: 3,
    last_kernel_size: 5,
    cogview_sandwich_layernorm: true,
  },
  vqgan: { ch: 32, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [], resolution: 256, in_channels: 3 },
  special_tokens: { LT_UNK: 8, '<RT_UNK>': 9 },
};
export const METADATA = {
  name: 'micro',
  description: { en: 'a model', ru: 'модель' },
  attribution: [{ what: 'weights', by: 'nobody', licence: 'none', url: 'https://example.org' }],
  examples: ['кот', 'вишня'],
};
export const TOKENIZER = new TextEncoder().encode('3 1\n9601 4\n1082 5\n1086 6\n5 6 7\n1 0 2 3\n');

export type State = Map<string, PickleValue>;

const halves = (shape: readonly number[]): FakeTensor => ({
  dtype: 'f16',
  shape,
  data: new Uint8Array(2 * shape.reduce((product, n) => product * n, 1)),
});

/** The state dict of the transformer, of zeros. */
export function transformerState(): State {
  const state: State = new Map(planTransformer(SIZES).expected.map(({ key, shape }) => [key, halves(shape)]));
  const length = SIZES.leftLength + SIZES.imageSide ** 2 + SIZES.rightLength;
  for (const [kind, key] of Object.entries(MASK_KEYS))
    state.set(key, { dtype: 'bool', shape: [length, length], data: computeMask(SIZES, kind as MaskKind) });
  return state;
}

/** The state dict of the image tokenizer, of zeros. */
export function vqganState(): State {
  const { encoder, decoder } = imageTokenizerTensors(VQGAN);
  return new Map([...encoder, ...decoder].map(({ key, shape }) => [key, halves(shape)]));
}

/** Converts these files; `written` are the web model's, by name. */
export async function convert(files: {
  readonly rudolph: Uint8Array;
  readonly vqgan: Uint8Array;
  readonly tokenizer?: Uint8Array;
  readonly config?: string;
}): Promise<{ manifest: Manifest; written: Map<string, Uint8Array<ArrayBuffer>> }> {
  const written = new Map<string, Uint8Array<ArrayBuffer>>();
  const named = (label: string, bytes: Uint8Array) => ({ label, source: memorySource(bytes) });
  const { manifest } = await convertModel({
    rudolph: named('rudolph.bin', files.rudolph),
    vqgan: named('vqgan.ckpt', files.vqgan),
    tokenizer: named('bpe.model', files.tokenizer ?? TOKENIZER),
    config: { label: 'config.json', text: files.config ?? JSON.stringify(CONFIG) },
    producer: 'fuzz',
    sink: { write: async (file, bytes) => void written.set(file, bytes) },
  });
  return { manifest, written };
}

/** Checkpoints of a few bytes, whose every byte counts. */
export function tinyStates(): State[] {
  const matrix: FakeTensor = { dtype: 'f32', shape: [2, 3], data: new Uint8Array(24) };
  const view: FakeTensor = { dtype: 'f16', shape: [3, 2], strides: [1, 3], data: new Uint8Array(12) };
  return [
    new Map<string, PickleValue>([
      ['w', matrix],
      ['transposed', view],
      ['n', 3.5],
    ]),
    new Map<string, PickleValue>([
      ['hyper_parameters', new FakeObject('argparse', 'Namespace')],
      ['epoch', 7],
      [
        'state_dict',
        new Map<string, PickleValue>([['w', new FakeObject('torch._utils', '_rebuild_parameter', [matrix])]]),
      ],
    ]),
  ];
}

/** Whole files to begin with, by what reads them. */
export interface Corpus {
  readonly zips: readonly Uint8Array[];
  readonly legacies: readonly Uint8Array[];
  readonly safetensors: readonly Uint8Array[];
  readonly tokenizers: readonly Uint8Array[];
  readonly pictures: readonly Uint8Array[];
  readonly manifest: Manifest;
  /** A converted model's files by name. */
  readonly model: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly rudolph: Uint8Array;
  readonly vqgan: Uint8Array;
}

export async function loadCorpus(): Promise<Corpus> {
  const states = tinyStates();
  const rudolph = torchZip(transformerState());
  const vqgan = torchZip(vqganState());
  const { manifest, written } = await convert({ rudolph, vqgan });
  const fixture = (name: string) => new Uint8Array(readFileSync(`test/fixtures/tiny-a/${name}`));
  const noise = Uint8Array.from({ length: 16 * 12 * 4 }, (_, i) => (i * 7919) >> 3);
  const raw = sharp(noise, { raw: { width: 16, height: 12, channels: 4 } });
  return {
    zips: states.flatMap((state) => [
      torchZip(state),
      torchZip(state, { zip64: true }),
      torchZip(state, { deflate: true, zip64: true }),
    ]),
    legacies: states.map(torchLegacy),
    safetensors: [
      writeSafetensors([
        { name: 'w', dtype: 'F32', shape: [2, 3], data: new Float32Array(6) },
        { name: 'b', dtype: 'BF16', shape: [4], data: new Uint16Array(4) },
      ]),
    ],
    tokenizers: [TOKENIZER, fixture('bpe.model')],
    pictures: [
      fixture('image0.png'),
      await raw.clone().png({ palette: true }).toBuffer(),
      await raw.clone().png().toBuffer(),
      await raw
        .clone()
        .jpeg()
        .withExif({ IFD0: { Orientation: '6' } })
        .toBuffer(),
      await raw.clone().jpeg({ progressive: true }).toBuffer(),
      await raw.clone().webp({ lossless: true, effort: 0 }).toBuffer(),
      await raw.clone().gif().toBuffer(),
    ],
    // A few tensors of each kind: reading a long list takes longer, and finds nothing more.
    manifest: { ...manifest, ...METADATA, tensors: manifest.tensors.filter((_, k) => k < 3 || k % 16 === 0) },
    model: new Map([...written].filter(([name]) => name !== MANIFEST_FILE)),
    rudolph,
    vqgan,
  };
}
