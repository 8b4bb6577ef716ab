import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { dispatchLimit } from '../../src/gpu/runner';
import { recordPerplexities } from '../../src/model/perplexities';
import { runAndRead, uploadMatrix, uploadVector } from '../support/arrays';
import { randomArray, randomNumbers } from '../support/compare';
import { openGpu } from '../support/gpu';
import { testVariants } from '../support/variants';
import { perplexity } from '../twins/perplexity';
import { linear } from '../twins/transformer';

/** Logits are sums of K products in −1…1: f32 gets them to about 1e-5, and exp makes a relative difference of it. */
const RELATIVE = 1e-4;

describe.each(await testVariants())('perplexities, $name', ({ variants }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ variants });
  });
  afterAll(() => gpu.dispose());

  /** Perplexities of sequences with `counts` targets each, by the kernels and by their twin; rows in a jumbled order. */
  async function both(
    counts: readonly number[],
    inputs: number,
    classes: number,
    options: { outputs?: number; change?: (bias: Float32Array, labels: number[][]) => void } = {},
  ): Promise<{ actual: number[]; expected: number[]; dispatches: number }> {
    const arena = new Arena(gpu.device);
    try {
      const rowCount = counts.reduce((a, b) => a + b, 0) + 3;
      const outputs = options.outputs ?? classes;
      const next = randomNumbers(7);
      const pick = (below: number): number => Math.floor(((next() + 1) / 2) * below);
      const x = randomArray(1, rowCount * inputs);
      const bias = randomArray(2, outputs);
      const rows = counts.map((count) => Array.from({ length: count }, () => pick(rowCount)));
      const labels = counts.map((count) => Array.from({ length: count }, () => pick(classes)));
      options.change?.(bias, labels);
      const weightValues = randomArray(3, outputs * inputs, 2 / Math.sqrt(inputs));
      const { tensor: weight, rounded } = uploadMatrix(arena, 'weight', weightValues, outputs, inputs);
      const results = arena.buffer('results', (counts.length + 2) * 4);
      const dispatches = await recordPerplexities(gpu, arena, {
        label: 'test',
        x: arena.upload('x', x),
        weight,
        bias: uploadVector(arena, 'bias', bias),
        classes,
        targets: { rows, labels },
        results,
        firstResult: 2,
      });
      for (const { work } of dispatches) expect(work).toBeLessThanOrEqual(dispatchLimit(gpu.adapter));
      const actual = Array.from(await runAndRead(gpu, dispatches, results, counts.length + 2));
      expect(actual.slice(0, 2)).toEqual([0, 0]);
      const logits = linear(x, rowCount, rounded, bias, inputs);
      const expected = rows.map((sequence, s) =>
        perplexity(
          sequence.map((row) => logits.subarray(row * outputs, row * outputs + classes)),
          labels[s]!,
        ),
      );
      return { actual: actual.slice(2), expected, dispatches: dispatches.length };
    } finally {
      arena.dispose();
    }
  }

  function expectRelative(actual: readonly number[], expected: readonly number[]): void {
    expect(actual).toHaveLength(expected.length);
    expected.forEach((value, s) =>
      expect(Math.abs(actual[s]! / value - 1), `sequence ${s}: ${actual[s]} instead of ${value}`).toBeLessThan(
        RELATIVE,
      ),
    );
  }

  // On both sides of every tile: targets of 4 and 32, classes of 4, 32 and 128.
  test.each([
    [[1], 8, 1],
    [[1], 64, 33],
    [[3, 0, 5], 64, 9],
    [[2, 31], 120, 128],
    [[70, 1, 29], 120, 300],
  ])('%j targets, K %i, %i classes', async (counts, inputs, classes) => {
    const { actual, expected } = await both(counts, inputs, classes);
    expectRelative(actual, expected);
  });

  test('classes beyond the softmax (pads, special ids) do not count', async () => {
    const { actual, expected } = await both([20, 20], 40, 50, { outputs: 64 });
    expectRelative(actual, expected);
  });

  test('more work than one dispatch may have is split along the classes, and the sums go on', async () => {
    const { actual, expected, dispatches } = await both([150, 150], 512, 2100);
    expect(dispatches).toBe(gpu.adapter.software ? 3 : 1);
    expectRelative(actual, expected);
  });

  test('nothing scored is 1, and a loss of exactly 0 drops out', async () => {
    // A class that outweighs all others by far more than f32 can add up.
    const { actual, expected } = await both([0, 4, 3], 64, 70, {
      change: (bias, labels) => {
        bias[5] = 200;
        labels[1]!.fill(5);
        bias[7] = 170;
        labels[2] = [5, 7, 7];
      },
    });
    expect(actual.slice(0, 2)).toEqual([1, 1]);
    expectRelative(actual, expected); // the mean of two, not of three
    expect(actual[2]).toBeGreaterThan(1e10);
  });

  test('losses too large for f32 stay finite', async () => {
    const { actual } = await both([3, 500], 64, 70, {
      change: (bias, labels) => {
        bias[5] = 1e4;
        labels.forEach((of) => of.fill(6));
      },
    });
    for (const value of actual) {
      expect(value).toBeGreaterThan(1e30);
      expect(value).toBeLessThan(1e34);
    }
  });

  test.each([NaN, Infinity])('a logit of %s is told, in the sequences that have it', async (value) => {
    const { actual } = await both([3, 0], 64, 70, { change: (bias) => void (bias[69] = value) });
    expect(actual).toEqual([-1, 1]);
  });

  test('refuses labels that are no class', async () => {
    const wrong = both([1], 8, 4, { change: (_, labels) => void (labels[0]![0] = 4) });
    await expect(wrong).rejects.toThrow('test: target 0 of sequence 0 is row');
  });
});
