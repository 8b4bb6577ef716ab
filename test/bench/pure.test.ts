import { describe, expect, test } from 'vitest';
import { costOf, idealMs, keyCount, operationOf } from '../../bench/costs';
import { pickToken } from '../../bench/peer/sampling';
import { presetConfig, randomModel } from '../../bench/randomModel';
import { markdownTable, quantile, short, summarise } from '../../bench/statistics';
import { SHARD_BYTES } from '../../src/format/manifest';
import { halfValue } from '../support/arrays';

describe('statistics', () => {
  test('the median and the distance between the quartiles', () => {
    expect(summarise([5, 1, 2, 3, 100])).toEqual({ medianMs: 3, spread: 1, samples: 5 });
    expect(quantile([1, 2], 0.5)).toBe(1.5);
    expect(() => summarise([])).toThrow('no samples');
  });

  test('three digits', () => {
    expect([1234.5, 12.345, 0.0012345, 0, NaN].map(short)).toEqual(['1235', '12.3', '0.00123', '0', '–']);
  });

  test('columns are as wide as their widest cell', () => {
    expect(markdownTable(['a', 'long title'], [['1234', 'x']])).toBe(
      '| a    | long title |\n| ---- | ---------- |\n| 1234 | x          |',
    );
  });
});

describe('costs', () => {
  const config = presetConfig('350M');

  test('labels of the engine become operations', () => {
    expect(operationOf('layer 1 attention', config)).toBe('attention column');
    expect(operationOf('layer 23 attention', config)).toBe('attention lastConv');
    expect(operationOf('layer 3 mlp_in', config)).toBe('mlp_in');
    expect(operationOf('residual_norm + sum_workgroup', config)).toBe('residual_norm');
  });

  test('a step of 350M reads 0.63 GB, as was computed by hand', () => {
    const context = { config, rows: 1, positions: [64 + 128], classes: 8192 };
    const layer = ['qkv', 'attention_out', 'mlp_in', 'mlp_out'].map((name) => costOf(name, context)!.bytes);
    const bytes = 24 * layer.reduce((a, b) => a + b) + costOf('image logits', context)!.bytes;
    expect(bytes / 1e9).toBeCloseTo(0.62, 2);
  });

  test('the ruler allows whichever of bytes and operations takes longer', () => {
    expect(idealMs({ bytes: 1e6, flops: 1e6 }, { copyGBs: 1, gemmGflops: 2 })).toBe(1);
    expect(idealMs({ bytes: 1e6, flops: 4e6 }, { copyGBs: 1, gemmGflops: 2 })).toBe(2);
  });

  test('keys of a position are those that its mask allows', () => {
    const position = 64 + 5 * 16 + 3;
    expect(keyCount(config, 'column', position)).toBe(64 + 6);
    expect(keyCount(config, 'row', position)).toBe(64 + 17);
    expect(costOf('nothing known', { config, rows: 1, positions: [0], classes: 1 })).toBeNull();
  });
});

describe('random models', () => {
  test('shards cover the components, and repeat', async () => {
    const source = randomModel('350M', presetConfig('350M'));
    const { transformer } = source.manifest.components;
    expect(transformer!.shards.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(transformer!.byteLength);
    const shard = transformer!.shards.find(({ file }) => file.startsWith('transformer layers.0.qkv.weight'))!;
    const bytes = await source.shard(shard);
    expect(bytes.byteLength).toBe(Math.min(shard.byteLength, SHARD_BYTES));
    expect(await source.shard(shard)).toEqual(bytes);
    // The same numbers as bench/peer/export_onnx.py's `RandomWeights().matrix("layers.0.qkv.weight", (8,)) * 2**15`.
    const values = Array.from(new Uint16Array(bytes, 0, 8), (bits) => halfValue(bits) * 2 ** 15);
    expect(values).toEqual(EXPECTED_QKV);
  });
});

const EXPECTED_QKV = [963, 1589, -1456, -1533, 1990, -1044, 1911, -387];

describe('the peer draws', () => {
  test('from the largest logits, in proportion', () => {
    const logits = Float32Array.of(0, Math.log(3), -50);
    expect(pickToken(logits, () => 0)).toBe(1);
    expect(pickToken(logits, () => 0.74)).toBe(1);
    expect(pickToken(logits, () => 0.76)).toBe(0);
    expect(pickToken(logits, () => 0.999999)).toBe(0);
  });
});
