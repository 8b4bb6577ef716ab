import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/format/manifest';
import { MANIFEST_FILE, SHARD_BYTES } from '../../src/format/manifest';
import { parseManifest } from '../../src/format/parseManifest';
import { sha256 } from '../../src/format/sha256';
import { writeSafetensors } from '../../src/format/safetensors';
import { FakeObject, torchLegacy, torchZip } from '../support/torchFiles';
import type { PickleValue } from '../support/torchFiles';
import {
  asBrain,
  asHalf,
  bytesOf,
  convertState,
  convertTiny,
  equalBytes,
  fixture,
  floats,
  FOLDER,
  halves,
  named,
  stateOf,
  valuesOf,
} from './tiny';
import type { Converted, State } from './tiny';

let tiny: Converted;
let state: State;
beforeAll(async () => {
  tiny = await convertTiny({ vqganDwt: fixture('vqgan_dwt.ckpt') });
  state = await stateOf('pytorch_model.bin');
});

describe('tiny-a', () => {
  it('has a manifest that its own reader accepts, and shards that are what they are called', async () => {
    const text = new TextDecoder().decode(tiny.files.get(MANIFEST_FILE));
    const manifest: Manifest = parseManifest(text, 'rudolph.json');
    expect(manifest).toEqual(JSON.parse(JSON.stringify(tiny.manifest)));
    expect(manifest.config).toMatchObject({
      layers: 8,
      hidden: 64,
      heads: 4,
      textVocabulary: 432,
      imageVocabulary: 72,
      masks: { form: 'standard', rightSeesLeft: true },
    });
    expect(manifest.imageTokenizer).toEqual({
      channels: 32,
      multipliers: [1, 1, 2, 2],
      residualBlocks: 1,
      zChannels: 64,
      embeddingSize: 64,
      codes: 64,
      attentionLevels: [3],
      imageChannels: 3,
    });
    const { special_tokens: expected } = JSON.parse(readFileSync(`${FOLDER}/cases.json`, 'utf8')) as {
      special_tokens: Record<string, number>;
    };
    expect(manifest.specialTokens).toEqual(
      Object.fromEntries(Object.entries(expected).map(([name, id]) => [name.slice(1, -1), id])),
    );
    for (const { shards } of Object.values(manifest.components)) {
      for (const shard of shards) {
        const bytes = tiny.files.get(shard.file)! as Uint8Array<ArrayBuffer>;
        expect([bytes.byteLength, await sha256(bytes)]).toEqual([shard.byteLength, shard.sha256]);
        expect(bytes.byteLength).toBeLessThanOrEqual(SHARD_BYTES);
      }
    }
  });

  it('keeps every weight of the transformer', () => {
    const matrix = (name: string, key: string) =>
      expect(equalBytes(bytesOf(tiny, name).bytes, halves(valuesOf(state.get(key)!))), name).toBe(true);
    const vector = (name: string, ...keys: string[]) =>
      expect(equalBytes(bytesOf(tiny, name).bytes, Buffer.concat(keys.map((key) => state.get(key)!.data))), name).toBe(
        true,
      );
    matrix('text_embeddings', 'text_embeddings.weight');
    matrix('image_embeddings', 'image_embeddings.weight');
    matrix('left_positions', 'l_text_pos_embeddings.weight');
    matrix('right_positions', 'r_text_pos_embeddings.weight');
    matrix('image_rows', 'image_row_embeddings.weight');
    matrix('image_columns', 'image_col_embeddings.weight');
    for (let layer = 0; layer < 8; layer++) {
      const from = `transformer.layers.${layer}`;
      const norms = [
        'input_layernorm',
        'before_first_addition_layernorm',
        'post_attention_layernorm',
        'before_second_addition_layernorm',
      ];
      vector(`layers.${layer}.norms`, ...norms.flatMap((norm) => [`${from}.${norm}.weight`, `${from}.${norm}.bias`]));
      for (const [name, key] of [
        ['qkv', 'attention.query_key_value'],
        ['attention_out', 'attention.dense'],
        ['mlp_in', 'mlp.dense_h_to_4h'],
        ['mlp_out', 'mlp.dense_4h_to_h'],
      ]) {
        matrix(`layers.${layer}.${name}.weight`, `${from}.${key}.weight`);
        vector(`layers.${layer}.${name}.bias`, `${from}.${key}.bias`);
      }
    }
    vector(
      'final.norms',
      'transformer.final_layernorm.weight',
      'transformer.final_layernorm.bias',
      'to_logits.0.weight',
      'to_logits.0.bias',
    );
    const logits = valuesOf(state.get('to_logits.1.weight')!);
    expect(equalBytes(bytesOf(tiny, 'text_logits.weight').bytes, halves(logits.subarray(0, 432 * 64)))).toBe(true);
    expect(equalBytes(bytesOf(tiny, 'image_logits.weight').bytes, halves(logits.subarray(432 * 64)))).toBe(true);
    const bias = state.get('to_logits.1.bias')!.data;
    expect(equalBytes(bytesOf(tiny, 'text_logits.bias').bytes, bias.subarray(0, 432 * 4))).toBe(true);
    expect(equalBytes(bytesOf(tiny, 'image_logits.bias').bytes, bias.subarray(432 * 4))).toBe(true);
  });

  it('re-lays convolutions as [out, ky, kx, in] with padded rows, under the names of the manifest', async () => {
    const plain = await stateOf('vqgan.ckpt');
    const dwt = await stateOf('vqgan_dwt.ckpt');
    let checked = 0;
    for (const { name, component, shape, rowStride } of tiny.manifest.tensors) {
      if (component === 'transformer' || component === 'tokenizer') continue;
      const nested = (key: string) => `model.${key.startsWith('quantize.') ? '' : 'decoder.'}${key}`;
      const source = component === 'imageDecoderDwt' ? dwt.get(nested(name.replace(/^dwt\./, '')))! : plain.get(name)!;
      const values = valuesOf(source);
      const { bytes } = bytesOf(tiny, name);
      if (shape.length === 1) {
        expect(equalBytes(bytes, source.data), name).toBe(true);
      } else {
        const [out, inputs, height = 1, width = 1] = source.shape as number[];
        const expected = new Float32Array(out! * rowStride);
        for (let o = 0; o < out!; o++) {
          for (let i = 0; i < inputs!; i++) {
            for (let tap = 0; tap < height * width; tap++) {
              expected[o * rowStride + tap * inputs! + i] = values[(o * inputs! + i) * height * width + tap]!;
            }
          }
        }
        expect(equalBytes(bytes, halves(expected)), name).toBe(true);
      }
      checked++;
    }
    expect(checked).toBe(340);
    expect(tiny.manifest.tensors.find(({ name }) => name === 'encoder.conv_in.weight')).toMatchObject({
      shape: [32, 3, 3, 3],
      rowStride: 32,
      byteLength: 32 * 64,
    });
    expect(tiny.manifest.tensors.find(({ name }) => name === 'dwt.decoder.conv_out.weight')).toMatchObject({
      shape: [12, 3, 3, 32],
      component: 'imageDecoderDwt',
    });
  });

  it('keeps the tokenizer file', () => {
    expect(equalBytes(bytesOf(tiny, 'bpe.model').bytes, readFileSync(`${FOLDER}/bpe.model`))).toBe(true);
  });

  it('is the same from every container, precision and prefix', async () => {
    const lightning = new Map<string, PickleValue>();
    for (const [key, tensor] of state) lightning.set(`model.${key}`, tensor);
    lightning.set('vae.model.encoder.conv_in.bias', floats([1], Float32Array.of(1)));
    const variants: [string, Uint8Array][] = [
      ['fp16', readFileSync(`${FOLDER}/pytorch_model.fp16.bin`)],
      ['legacy', readFileSync(`${FOLDER}/pytorch_model.legacy.bin`)],
      ['fp16 masks', torchZip(new Map([...state].map(([key, tensor]) => [key, asHalf(tensor)])))],
      ['ZIP64', torchZip(state, { zip64: true })],
      ['deflated', torchZip(state, { deflate: true })],
      [
        'Lightning',
        torchZip(
          new Map<string, PickleValue>([
            ['epoch', 1],
            ['callbacks', new FakeObject('pytorch_lightning.x', 'Y')],
            ['state_dict', lightning],
          ]),
        ),
      ],
      ['DataParallel', torchLegacy(new Map([...state].map(([key, tensor]) => [`module.${key}`, tensor])))],
      [
        'safetensors',
        writeSafetensors(
          [...state].map(([name, { dtype, shape, data }]) => ({
            name,
            shape,
            data,
            dtype: dtype === 'bool' ? ('BOOL' as const) : ('F32' as const),
          })),
        ),
      ],
    ];
    for (const [label, bytes] of variants) {
      const { manifest } = await convertTiny({ rudolph: named(label, bytes), vqganDwt: fixture('vqgan_dwt.ckpt') });
      expect(manifest.components, label).toEqual(tiny.manifest.components);
    }
  });

  it('rounds bf16 nowhere: values that fit both are kept', async () => {
    const { manifest } = await convertTiny({
      rudolph: named('bf16.bin', torchZip(new Map([...state].map(([key, tensor]) => [key, asBrain(tensor)])))),
    });
    const cut = new Map(
      [...state].map(([key, tensor]) => {
        if (tensor.dtype === 'bool') return [key, tensor];
        const words = new Uint32Array(valuesOf(tensor).slice().buffer).map((word) => word & 0xffff0000);
        return [key, floats(tensor.shape, new Float32Array(words.buffer))];
      }),
    );
    const same = await convertTiny({ rudolph: named('cut.bin', torchZip(cut)) });
    expect(manifest.components).toEqual(same.manifest.components);
    expect(manifest.components.transformer).not.toEqual(tiny.manifest.components.transformer);
  });

  it('takes a transposed matrix as what it is', async () => {
    const { manifest } = await convertState((changed) => {
      const key = 'transformer.layers.0.mlp.dense_4h_to_h.weight';
      const { shape } = changed.get(key)!;
      const values = valuesOf(changed.get(key)!);
      const [rows, columns] = shape as [number, number];
      const transposed = Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
      changed.set(key, { ...floats(shape, transposed), strides: [1, rows] });
    });
    expect(manifest.components.transformer).toEqual(tiny.manifest.components.transformer);
  });

  it('encodes with the DWT file where there is no other', async () => {
    const { manifest } = await convertTiny({ vqgan: undefined, vqganDwt: fixture('vqgan_dwt.ckpt') });
    expect(Object.keys(manifest.components)).toEqual(['tokenizer', 'transformer', 'imageEncoder', 'imageDecoderDwt']);
  });

  it('takes metadata, a bare config section, special tokens of its own', async () => {
    const config = JSON.parse(readFileSync(`${FOLDER}/config.json`, 'utf8')) as { rudolph: object };
    const { manifest } = await convertTiny({
      config: { label: 'bare.json', text: JSON.stringify(config.rudolph) },
      specialTokens: { label: 's.json', text: '{"<LT_T2I>": 402, "LT_UNK": 400}' },
      metadata: { name: 'Tiny', examples: ['кот'] },
    });
    expect(manifest).toMatchObject({ name: 'Tiny', examples: ['кот'], specialTokens: { LT_T2I: 402, LT_UNK: 400 } });
    expect(
      (
        await convertTiny({
          config: { label: 'c', text: JSON.stringify({ ...config, special_tokens: { LT_UNK: 401 } }) },
        })
      ).manifest.specialTokens,
    ).toEqual({ LT_UNK: 401 });
  });
});
