import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import { type Filter, filterProbabilities } from '../../src/model/sampler';
import reference from '../fixtures/filter/reference.json';
import { openGpu } from '../support/gpu';
import { normal } from '../support/sampling';
import { filterTwin } from '../twins/sampler';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ variants: 'base' });
});
afterAll(() => gpu.dispose());

/** The kept set must be the same and probabilities within `tolerance`; says where not. */
function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  let worst = 0;
  let at = 0;
  let kept = '';
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(actual[index]! - expected[index]!);
    if (!(difference <= worst)) [worst, at] = [difference, index];
    // Below 1e-30 a probability may be rounded to 0 by the device.
    if (actual[index]! > 0 !== expected[index]! > 0 && !(Math.max(actual[index]!, expected[index]!) < 1e-30)) {
      kept ||= `${what}: class ${index} has ${actual[index]}, expected ${expected[index]}`;
    }
  }
  expect(kept).toBe('');
  expect(
    worst,
    `${what}: largest difference at class ${at}: ${actual[at]}, expected ${expected[at]}`,
  ).toBeLessThanOrEqual(tolerance);
}

describe('filter', () => {
  // 1e-5: f32 softmax in another order; the kept sets are equal.
  it.each(reference.cases.map((entry, number) => ({ ...entry, number })))(
    'reference case $number: top-k $topK, top-p $topP, temperature $temperature',
    async ({ rows, topK, topP, temperature }) => {
      const classes = rows[0]!.logits.length;
      const logits = Float32Array.from(rows.flatMap((row) => row.logits));
      const expected = new Float64Array(rows.length * classes);
      rows.forEach(({ kept }, row) => kept.forEach(([cls, p]) => (expected[row * classes + cls!] = p!)));
      const actual = await filterProbabilities(gpu, logits, rows.length, classes, { topK, topP, temperature });
      expectSame(actual, expected, 1e-5, 'gpu');
      rows.forEach((row, r) => {
        const twin = filterTwin(Float32Array.from(row.logits), { topK, topP, temperature });
        expectSame(twin, expected.subarray(r * classes, (r + 1) * classes), 1e-5, `twin, row ${r}`);
      });
    },
  );

  const filters: Filter[] = [
    { topK: 0, topP: 1, temperature: 1 },
    { topK: 1, topP: 0.999, temperature: 1 },
    { topK: 768, topP: 0.99, temperature: 1 },
    { topK: 1024, topP: 0.975, temperature: 1 },
    { topK: 64, topP: 0.8, temperature: 0.9 },
    { topK: 5000, topP: 0.9, temperature: 1.5 }, // more than fit the list
    { topK: 1e6, topP: 0.5, temperature: 0.5 },
    { topK: 0, topP: 1e-9, temperature: 1 },
    { topK: 0, topP: 0.999, temperature: 30 }, // thousands kept
    { topK: 300, topP: 0.95, temperature: 0.01 },
  ];
  describe.each([1, 2, 37, 256, 257, 1536, 8192, 16384, 25408])('%i classes', (classes) => {
    it.each(filters)('random logits: top-k $topK, top-p $topP, temperature $temperature', async (filter) => {
      const rows = 2;
      const logits = normal(classes + 7, rows * classes, 2.5);
      const actual = await filterProbabilities(gpu, logits, rows, classes, filter);
      for (let row = 0; row < rows; row++) {
        const part = [row * classes, (row + 1) * classes] as const;
        expectSame(actual.subarray(...part), filterTwin(logits.subarray(...part), filter), 1e-5, `row ${row}`);
      }
    });
  });

  it.each([37, 8192])('ties everywhere, %i classes: top-k keeps them, top-p the lower classes', async (classes) => {
    const logits = normal(3, classes, 2).map((x) => Math.round(x)); // a dozen distinct values, −0 among them
    for (const filter of [
      { topK: 5, topP: 1, temperature: 1 },
      { topK: 20, topP: 0.7, temperature: 1 },
      { topK: 0, topP: 0.3, temperature: 1 },
      { topK: 2000, topP: 0.95, temperature: 0.5 },
    ]) {
      expectSame(
        await filterProbabilities(gpu, logits, 1, classes, filter),
        filterTwin(logits, filter),
        1e-5,
        JSON.stringify(filter),
      );
    }
  });

  it.each([
    // Three equal masses of ⅓: cumulative before the classes 0, ⅓, ⅔.
    [0.3, [1, 0, 0]],
    [0.34, [0.5, 0.5, 0]],
    [0.66, [0.5, 0.5, 0]],
    [0.67, [1 / 3, 1 / 3, 1 / 3]],
  ])('three equal logits, top-p %f', async (topP, expected) => {
    expectSame(
      await filterProbabilities(gpu, new Float32Array(3), 1, 3, { topK: 0, topP, temperature: 1 }),
      expected,
      1e-6,
      'gpu',
    );
  });

  it('a class exactly at p stays: half and half at p = 0.5', async () => {
    const filter = { topK: 0, temperature: 1 };
    const logits = Float32Array.of(1, 1);
    expectSame(await filterProbabilities(gpu, logits, 1, 2, { ...filter, topP: 0.5 }), [0.5, 0.5], 1e-6, 'p = 0.5');
    expectSame(await filterProbabilities(gpu, logits, 1, 2, { ...filter, topP: 0.499 }), [1, 0], 1e-6, 'p = 0.499');
  });

  it.each([
    ['−Infinity is excluded', [0, -Infinity, 0, -Infinity], [0.5, 0, 0.5, 0]],
    ['NaN is excluded', [0, NaN, 0, -NaN], [0.5, 0, 0.5, 0]],
    ['nothing left', [NaN, -Infinity], [-1, -1]],
    ['+Infinity wins', [1, Infinity, 3e38], [0, 0.5, 0.5]], // beyond 1e30 all count as equal
    ['huge differences', [1e38, -1e38, 9], [1, 0, 0]],
    ['masked by −1e9', [-1e9, 2, -1e9, 2], [0, 0.5, 0, 0.5]],
    ['all very negative', [-1e9, -1e9], [0.5, 0.5]],
    ['neighbouring floats', [1, 1 + 2 ** -23], [0.5, 0.5]],
  ])('%s', async (_, logits, expected) => {
    for (const topK of [0, 3, 10]) {
      const filter = { topK, topP: 0.9999, temperature: 1 };
      expectSame(
        await filterProbabilities(gpu, Float32Array.from(logits), 1, logits.length, filter),
        expected,
        1e-6,
        `top-k ${topK}`,
      );
    }
  });

  it('tells neighbouring floats apart', async () => {
    const logits = Float32Array.from({ length: 4096 }, (_, index) => 1 + ((index * 1021) % 4096) * 2 ** -23);
    const probabilities = await filterProbabilities(gpu, logits, 1, 4096, { topK: 3, topP: 1, temperature: 1 });
    const kept = [...probabilities.keys()]
      .filter((index) => probabilities[index]! > 0)
      .map((index) => (index * 1021) % 4096);
    expect(kept.sort()).toEqual([4093, 4094, 4095]);
  });

  it('survives outliers that push everything else into one step', async () => {
    const logits = normal(5, 8192, 1);
    logits[4000] = 300;
    for (const filter of [
      { topK: 768, topP: 1, temperature: 1 },
      { topK: 768, topP: 0.9, temperature: 100 },
    ]) {
      expectSame(
        await filterProbabilities(gpu, logits, 1, 8192, filter),
        filterTwin(logits, filter),
        1e-5,
        JSON.stringify(filter),
      );
    }
  });
});
