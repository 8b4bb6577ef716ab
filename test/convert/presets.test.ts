import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/convert/checkpoint';
import { PRESETS } from '../../src/convert/config';
import type { PresetName } from '../../src/convert/config';
import { deduceImageTokenizer, planImageTokenizer, planImageTokenizerDwt } from '../../src/convert/imageTokenizer';
import { MASK_KEYS, planTransformer } from '../../src/convert/plan';
import { torchZip } from '../support/torchFiles';
import type { PickleValue } from '../support/torchFiles';
import { convertTiny, fixture, messageOf, named } from './tiny';

type Shapes = Readonly<Record<string, number[]>>;
const upstream = JSON.parse(readFileSync('test/fixtures/presets.json', 'utf8')) as Record<
  PresetName,
  { state_dict_one_layer: Shapes; parameters: number }
> &
  Record<'sber-vqgan-f8' | 'sber-vqgan-f8-dwt', { state_dict: Shapes }>;

/** A tensor of any shape with one element of data: enough to be recognised. */
const empty = (shape: readonly number[]) => ({
  dtype: 'f16' as const,
  shape,
  data: new Uint8Array(2),
  strides: shape.map(() => 0),
});

describe.each(Object.keys(PRESETS) as PresetName[])('the tensors of %s', (name) => {
  it('are those of upstream', () => {
    const { expected } = planTransformer(PRESETS[name]);
    const masks = new Set<string>(Object.values(MASK_KEYS));
    const one = Object.entries(upstream[name].state_dict_one_layer).filter(([key]) => !masks.has(key));
    const found = expected
      .filter(({ key }) => !/layers\.[1-9]/.test(key))
      .map(({ key, shape }) => [key, shape] as const);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(one));
    const parameters = expected.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
    expect(parameters).toBe(upstream[name].parameters);
  });
});

describe('the image tokenizers of upstream', () => {
  const CONFIG = {
    channels: 128,
    multipliers: [1, 1, 2, 4],
    residualBlocks: 2,
    zChannels: 256,
    embeddingSize: 256,
    codes: 8192,
    attentionLevels: [3],
    imageChannels: 3,
  };
  const hollow = (name: 'sber-vqgan-f8' | 'sber-vqgan-f8-dwt') =>
    openCheckpoint(
      named(
        `${name}.ckpt`,
        torchZip(new Map(Object.entries(upstream[name].state_dict).map(([key, shape]) => [key, empty(shape)]))),
      ),
    );

  it('are recognised', async () => {
    const plain = await hollow('sber-vqgan-f8');
    expect(deduceImageTokenizer(plain)).toEqual(CONFIG);
    const { encoder, decoder } = planImageTokenizer(plain, CONFIG);
    expect(encoder.length + decoder.length).toBe(Object.keys(upstream['sber-vqgan-f8'].state_dict).length);
  });

  it('are recognised with DWT', async () => {
    const dwt = await hollow('sber-vqgan-f8-dwt');
    expect(deduceImageTokenizer(dwt)).toEqual(CONFIG);
    const { decoder } = planImageTokenizerDwt(dwt, CONFIG);
    expect(decoder.at(-2)).toMatchObject({ name: 'dwt.decoder.conv_out.weight', shape: [12, 3, 3, 128] });
  });
});

describe('presets', () => {
  /** A checkpoint with the shapes of a preset and no data at all: enough to be recognised. */
  const hollow = (name: keyof typeof PRESETS): Uint8Array => {
    const { hidden, textVocabulary, layers, leftLength } = PRESETS[name];
    const root = new Map<string, PickleValue>();
    const empty = (shape: number[]) => ({
      dtype: 'f16' as const,
      shape,
      data: new Uint8Array(2),
      strides: shape.map(() => 0),
    });
    root.set('text_embeddings.weight', empty([textVocabulary, hidden]));
    root.set('l_text_pos_embeddings.weight', empty([leftLength + 1, hidden]));
    for (let i = 0; i < layers; i++) root.set(`transformer.layers.${i}.input_layernorm.weight`, empty([hidden]));
    return torchZip(root);
  };
  it.each([
    ['350M_v1', '350M_v1'],
    ['350M', '350M'],
    ['1.3B', '1.3B'],
    ['2.7B', '2.7B'],
    ['2.7B_fbc2', '2.7B'],
  ] as const)('%s is recognised by its shapes', async (name, recognised) => {
    const message = await messageOf(convertTiny({ config: undefined, rudolph: named('x.bin', hollow(name)) }));
    expect(message).toContain(`x.bin: the tensors do not fit ${recognised} (`);
    expect(message).toContain('missing: image_embeddings.weight');
  });

  it('2.7B is FBC2 with --special-tokens fbc2', async () => {
    const message = await messageOf(
      convertTiny({ config: undefined, specialTokens: 'fbc2', rudolph: named('x.bin', hollow('2.7B')) }),
    );
    expect(message).toContain('x.bin: the tensors do not fit 2.7B_fbc2 (');
  });

  it('other shapes ask for --config', async () => {
    expect(await messageOf(convertTiny({ config: undefined }))).toBe(
      'pytorch_model.bin (8 layers, text embeddings [432,64]) has the shapes of no preset; give its sizes in a config file (--config)',
    );
  });

  it('says when the file is no RUDOLPH at all', async () => {
    expect(await messageOf(convertTiny({ config: undefined, rudolph: fixture('vqgan.ckpt') }))).toContain(
      'vqgan.ckpt is no RUDOLPH: it has no transformer.layers.* (its tensors: encoder.conv_in.weight',
    );
  });
});
