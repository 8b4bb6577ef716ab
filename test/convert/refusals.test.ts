import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/format/byteSource';
import { FakeObject } from '../support/torchFiles';
import type { PickleValue } from '../support/torchFiles';
import { asHalf, bytesOf, convertState, convertTiny, fixture, floats, FOLDER, messageOf, valuesOf } from './tiny';
import type { State } from './tiny';

describe('bad inputs end in one sentence', () => {
  const half = (changed: State, key: string) => changed.set(key, asHalf(changed.get(key)!));
  it.each<[string, (changed: State) => unknown, string]>([
    [
      'a missing tensor',
      (s) => s.delete('text_embeddings.weight'),
      'changed.bin: the tensors do not fit config.json (1 missing: text_embeddings.weight)',
    ],
    [
      'many missing tensors',
      (s) => [...s.keys()].filter((key) => key.includes('layers.7.')).forEach((key) => s.delete(key)),
      'changed.bin: the tensors do not fit config.json (16 missing: transformer.layers.7.input_layernorm.weight, transformer.layers.7.input_layernorm.bias, transformer.layers.7.before_first_addition_layernorm.weight and 13 more)',
    ],
    [
      'a surplus tensor',
      (s) => s.set('extra.weight', floats([1], Float32Array.of(1))),
      'changed.bin: the tensors do not fit config.json (1 unknown: extra.weight)',
    ],
    [
      'a wrong shape',
      (s) => s.set('to_logits.1.bias', floats([503], new Float32Array(503))),
      'changed.bin: the tensors do not fit config.json (1 of wrong shape: to_logits.1.bias is [503], expected [504])',
    ],
    [
      'the same tensor twice',
      (s) => s.set('module.to_logits.1.bias', s.get('to_logits.1.bias')!),
      'changed.bin: the tensors do not fit config.json (to_logits.1.bias occur twice under different prefixes)',
    ],
    [
      'another class where a tensor belongs',
      (s) => (s as Map<string, PickleValue>).set('to_logits.1.bias', new FakeObject('torchao.dtypes', 'NF4Tensor')),
      'changed.bin: the tensors do not fit config.json (to_logits.1.bias is an object of the class torchao.dtypes.NF4Tensor, expected tensors)',
    ],
    [
      'NaN',
      (s) => (valuesOf(s.get('text_embeddings.weight')!)[64 * 3 + 5] = NaN),
      'changed.bin: text_embeddings.weight[3, 5] is NaN; the weights are not usable',
    ],
    [
      'infinity in a vector',
      (s) => (valuesOf(s.get('to_logits.1.bias')!)[440] = -Infinity),
      'changed.bin: to_logits.1.bias[440] is -Infinity; the weights are not usable',
    ],
    [
      'NaN in a half',
      (s) => {
        valuesOf(s.get('to_logits.1.weight')!)[64 * 500 + 1] = NaN;
        half(s, 'to_logits.1.weight');
      },
      'changed.bin: to_logits.1.weight[500, 1] is NaN; the weights are not usable',
    ],
    [
      'a weight beyond a half',
      (s) => (valuesOf(s.get('transformer.layers.2.mlp.dense_h_to_4h.weight')!)[7] = 65520),
      'changed.bin: transformer.layers.2.mlp.dense_h_to_4h.weight[0, 7] is 65520, beyond what a half can hold (65504); the weights are not usable',
    ],
  ])('%s', async (_, change, message) => {
    expect(await messageOf(convertState(change))).toBe(message);
  });

  it('a weight that rounds to the largest half is no error', async () => {
    const converted = await convertState((s) => void (valuesOf(s.get('text_embeddings.weight')!)[0] = 65519));
    expect(bytesOf(converted, 'text_embeddings').bytes.slice(0, 2)).toEqual(Uint8Array.of(0xff, 0x7b));
  });

  const config = (change: Record<string, unknown>) => {
    const json = JSON.parse(readFileSync(`${FOLDER}/config.json`, 'utf8')) as { rudolph: object; vqgan: object };
    return {
      config: { label: 'c.json', text: JSON.stringify({ rudolph: { ...json.rudolph, ...change }, vqgan: json.vqgan }) },
    };
  };
  it.each<[string, Parameters<typeof convertTiny>[0], string]>([
    ['config: no JSON', { config: { label: 'c.json', text: '{' } }, 'c.json: is not JSON'],
    ['config: a field is missing', { config: { label: 'c.json', text: '{}' } }, 'c.json: l_text_seq_length is missing'],
    ['config: heads', config({ num_attention_heads: 5 }), 'c.json: 5 heads do not divide a hidden size of 64'],
    [
      'config: layers',
      config({ num_layers: 1.5 }),
      'c.json: num_layers is 1.5, expected a whole number from 1 to 1000',
    ],
    [
      'config: layer norms',
      config({ cogview_sandwich_layernorm: false }),
      'c.json: cogview_sandwich_layernorm is false; only models with it are supported',
    ],
    [
      'config: length',
      config({ r_text_seq_length: 15 }),
      'pytorch_model.bin: the tensors do not fit c.json (1 of wrong shape: r_text_pos_embeddings.weight is [17, 64], expected [16, 64])',
    ],
    [
      'a VQGAN of other codes',
      config({ image_vocab_size: 60, image_special_tokens: 12 }),
      'vqgan.ckpt has 64 codes, the model draws 60: they do not belong together',
    ],
    [
      'a tokenizer of another model',
      config({ vocab_size: 400, text_special_tokens: 32 }),
      'bpe.model has 400 ids, the model knows 384: it belongs to another model',
    ],
    [
      'a smaller tokenizer',
      config({ vocab_size: 432, text_special_tokens: 0 }),
      'bpe.model has 400 ids, the model knows 416: it belongs to another model',
    ],
    [
      'a RUDOLPH as VQGAN',
      { vqgan: fixture('pytorch_model.bin') },
      'pytorch_model.bin is not a VQGAN with Gumbel quantisation: it has no encoder.conv_in.weight',
    ],
    [
      'DWT as plain VQGAN',
      { vqgan: fixture('vqgan_dwt.ckpt') },
      'vqgan_dwt.ckpt: the tensors do not fit a VQGAN of their own config',
    ],
    [
      'plain VQGAN as DWT',
      { vqganDwt: fixture('vqgan.ckpt') },
      'vqgan.ckpt: the tensors do not fit a VQGAN with DWT of their own config',
    ],
    [
      'special tokens: an id of a pad',
      { specialTokens: { label: 's.json', text: '{"LT_UNK": 416}' } },
      's.json: the special token LT_UNK has the id 416, expected 0 to 415',
    ],
    [
      'special tokens: too few',
      { specialTokens: 'fbc2' },
      '--special-tokens fbc2 needs 17 special ids, the model has 16',
    ],
    [
      'bpe.model is something else',
      { tokenizer: fixture('config.json') },
      'config.json is not a usable YouTokenToMe model: line 1',
    ],
    [
      'no checkpoint',
      { rudolph: { label: 'empty.bin', source: memorySource(new Uint8Array(0)) } },
      'empty.bin is empty',
    ],
  ])('%s', async (_, changes, message) => {
    expect(await messageOf(convertTiny(changes))).toContain(message);
  });

  it('config: vqgan section', async () => {
    const text = readFileSync(`${FOLDER}/config.json`, 'utf8').replace('"ch": 32', '"ch": 64');
    expect(await messageOf(convertTiny({ config: { label: 'c.json', text } }))).toBe(
      'c.json: vqgan.ch is 64, the tensors say 32',
    );
  });

  it('stops when told to', async () => {
    const controller = new AbortController();
    const run = convertTiny({ signal: controller.signal, onProgress: () => controller.abort() });
    await expect(run).rejects.toThrow(/abort/i);
  });
});
