import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena, readBack } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { Runner } from '../../src/gpu/runner';
import {
  checkSampling,
  classBits,
  type Filter,
  filterProbabilities,
  NO_TOKEN,
  Sampler,
  type SampleSpec,
} from '../../src/model/sampler';
import reference from '../fixtures/filter/reference.json';
import { openGpu } from '../support/gpu';
import { drawFromTwin, drawTwin, filterTwin, gumbelTwin, mixtureTwin, pcg4dTwin } from '../twins/sampler';

let gpu: Gpu;
let sampler: Sampler;
beforeAll(async () => {
  gpu = await openGpu({ variants: 'base' });
  sampler = await Sampler.create(gpu);
});
afterAll(() => gpu.dispose());

/** mulberry32: test data only. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normal(seed: number, count: number, scale: number): Float32Array<ArrayBuffer> {
  const random = uniform(seed);
  return Float32Array.from(
    { length: count },
    () => scale * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

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
    ['nothing left', [NaN, -Infinity], [0, 0]],
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

interface DrawResult {
  readonly tokens: Uint32Array;
  readonly done: Uint32Array;
  readonly state: Uint32Array;
}

/** Draws `steps` tokens from the same logits, moving on as a decode loop does. */
async function draw(
  logits: Float32Array<ArrayBuffer>,
  options: Partial<SampleSpec> & {
    steps?: number;
    start?: number;
    forcedIds?: ArrayLike<number>;
    allowedIds?: readonly number[];
    doneBefore?: ArrayLike<number>;
    sampler?: Sampler;
  },
): Promise<DrawResult> {
  const arena = new Arena(gpu.device);
  const sequenceLength = options.sequenceLength ?? 16;
  const candidates = options.candidates ?? 1;
  const branches = options.guidance === undefined ? 1 : 2;
  try {
    const state = arena.upload('state', Uint32Array.of(options.start ?? 3, 0));
    const scratch = arena.buffer('next position', 4);
    const tokens = arena.upload('tokens', new Uint32Array(branches * candidates * sequenceLength).fill(777));
    const done = arena.upload(
      'done',
      Uint32Array.from({ length: candidates }, (_, c) => options.doneBefore?.[c] ?? 0),
    );
    const forced = Uint32Array.from({ length: sequenceLength }, (_, i) => options.forcedIds?.[i] ?? NO_TOKEN);
    const logitsRows = options.logitsRows ?? 1;
    const rowStride = options.rowStride ?? logits.length / logitsRows / branches;
    const spec: SampleSpec = {
      firstClass: 0, classes: rowStride, candidateOffset: 0, positionOffset: 1, seed: 1, topK: 0, topP: 1, temperature: 1,
      ...options,
      logits: arena.upload('logits', logits), logitsRows, rowStride, candidates, sequenceLength, state, tokens, done,
      forced: arena.upload('forced', forced),
      ...(options.allowedIds ? { allowed: arena.upload('allowed', classBits(options.allowedIds, options.classes ?? rowStride)) } : {}),
    }; // prettier-ignore
    const dispatches = await (options.sampler ?? sampler).record(arena, spec);
    const runner = new Runner(gpu.device);
    for (let step = 0; step < (options.steps ?? 1); step++) {
      await runner.run(dispatches);
      if (step + 1 === (options.steps ?? 1)) break;
      // state[0] = state[1], by way of another buffer: WebGPU copies between different ones only.
      runner.copy(state, 4, scratch, 0, 4);
      runner.copy(scratch, 0, state, 0, 4);
    }
    await runner.idle();
    return {
      tokens: new Uint32Array(await readBack(gpu.device, tokens)).slice(0, branches * candidates * sequenceLength),
      done: new Uint32Array(await readBack(gpu.device, done)).slice(0, candidates),
      state: new Uint32Array(await readBack(gpu.device, state)).slice(0, 2),
    };
  } finally {
    arena.dispose();
  }
}

describe('noise', () => {
  it('pcg4d gives the known first values', () => {
    expect(pcg4dTwin([0, 0, 0, 0])).toEqual(PCG4D_ZERO);
    expect(pcg4dTwin([1, 2, 3, 4])).toEqual(PCG4D_1234);
  });

  it('is standard Gumbel: mean γ, variance π²/6', () => {
    const count = 40_000;
    let sum = 0;
    let squares = 0;
    for (let index = 0; index < count; index++) {
      const g = gumbelTwin(9, index % 4, index >> 8, index & 255);
      sum += g;
      squares += g * g;
    }
    const mean = sum / count;
    expect(Math.abs(mean - 0.5772)).toBeLessThan(0.025); // 4 standard errors
    expect(Math.abs(squares / count - mean * mean - Math.PI ** 2 / 6)).toBeLessThan(0.07);
  });
});

/** Draws 3900 tokens and compares how often each class came with its probability (chi-square). */
async function expectFrequencies(
  logits: Float32Array<ArrayBuffer>,
  options: Parameters<typeof draw>[1],
  expected: Float64Array,
): Promise<void> {
  const counts = new Float64Array(expected.length);
  const candidates = 100;
  const sequenceLength = 40;
  const { tokens } = await draw(logits, {
    ...options,
    candidates,
    sequenceLength,
    start: 0,
    steps: sequenceLength - 1,
    seed: 42,
  });
  for (let c = 0; c < candidates; c++)
    for (let p = 1; p < sequenceLength; p++) counts[tokens[c * sequenceLength + p]!]!++;
  const draws = candidates * (sequenceLength - 1);
  let chiSquare = 0;
  expected.forEach((probability, cls) => {
    if (probability > 0) chiSquare += (counts[cls]! - draws * probability) ** 2 / (draws * probability);
  });
  const dropped = [...counts.keys()].filter((cls) => expected[cls] === 0);
  expect(
    dropped.filter((cls) => counts[cls]! > 0),
    'dropped classes that were drawn',
  ).toEqual([]);
  // 27.9 is the 0.1 % point of 9 degrees of freedom (of fewer it is smaller still); the seed is fixed.
  expect(chiSquare, `counts ${counts.join()}, expected ${expected.map((p) => p * draws).join()}`).toBeLessThan(27.9);
  expect(chiSquare).toBeGreaterThan(0.1); // draws that fit too well were no draws
}

describe('draw', () => {
  const defaults: Filter = { topK: 768, topP: 0.99, temperature: 1 };

  it.each([1, 37, 8192, 16384])('%i classes: the draws of the CPU twin', async (classes) => {
    const logits = normal(11, classes, 2.5);
    for (const filter of [defaults, { topK: 64, topP: 0.8, temperature: 0.9 }, { topK: 0, topP: 1, temperature: 1 }]) {
      const candidates = 16;
      const { tokens } = await draw(logits, { ...filter, candidates, seed: 4294967295, start: 7 });
      for (let c = 0; c < candidates; c++) {
        const twin = drawTwin(logits, filter, 4294967295, c, 8);
        if (twin.margin < 1e-4) continue; // f32 may decide the other way; so close about once in 10,000 draws
        expect(tokens[c * 16 + 8], `candidate ${c}, ${JSON.stringify(filter)}, margin ${twin.margin}`).toBe(twin.token);
      }
    }
  });

  it('follows the probabilities (chi-square)', async () => {
    const logits = Float32Array.of(0, 1, -1, 2, 0.5, -3, 1.5, 0, -0.5, 0.25);
    for (const filter of [
      { topK: 0, topP: 1, temperature: 1 },
      { topK: 6, topP: 0.9, temperature: 1.3 },
    ]) {
      await expectFrequencies(logits, filter, filterTwin(logits, filter));
    }
  });

  it('neighbouring candidates, positions and seeds draw independently', async () => {
    const candidates = 100;
    const sequenceLength = 21;
    const run = (seed: number): Promise<DrawResult> =>
      draw(new Float32Array(2), { topK: 0, candidates, sequenceLength, start: 0, steps: 20, seed });
    const [a, b] = [(await run(1)).tokens, (await run(2)).tokens];
    const agreement = (other: (c: number, p: number) => number): number => {
      let same = 0;
      for (let c = 0; c + 1 < candidates; c++)
        for (let p = 1; p + 1 < sequenceLength; p++) if (a[c * sequenceLength + p] === other(c, p)) same++;
      return same / ((candidates - 1) * (sequenceLength - 2));
    };
    // Of 1881 fair coin pairs half agree, standard error 0.0115: four of them.
    expect(
      agreement((c, p) => a[(c + 1) * sequenceLength + p]!),
      'next candidate',
    ).toBeCloseTo(0.5, 1.034);
    expect(
      agreement((c, p) => a[c * sequenceLength + p + 1]!),
      'next position',
    ).toBeCloseTo(0.5, 1.034);
    expect(
      agreement((c, p) => b[c * sequenceLength + p]!),
      'next seed',
    ).toBeCloseTo(0.5, 1.034);
  });

  it('does not depend on how many candidates are drawn together', async () => {
    const rows = 8;
    const logits = normal(21, rows * 8192, 2.5);
    const together = (await draw(logits, { ...defaults, logitsRows: rows, candidates: rows, seed: 5 })).tokens;
    for (let c = 0; c < rows; c++) {
      const row = logits.slice(c * 8192, (c + 1) * 8192);
      const alone = (await draw(row, { ...defaults, candidateOffset: c, seed: 5 })).tokens;
      expect(alone[4], `candidate ${c}`).toBe(together[c * 16 + 4]);
    }
    expect(new Set(Array.from({ length: rows }, (_, c) => together[c * 16 + 4])).size).toBeGreaterThan(1);
  });

  it('does not depend on the number of threads', async () => {
    const logits = normal(25, 8192, 2.5);
    const options = { ...defaults, candidates: 8, seed: 9 };
    const expected = (await draw(logits, options)).tokens;
    for (const threadCount of [16, 64, 256]) {
      const other = await Sampler.create(gpu, threadCount);
      expect((await draw(logits, { ...options, sampler: other })).tokens, `${threadCount} threads`).toEqual(expected);
    }
  });

  it('repeats exactly, and another seed draws others', async () => {
    const logits = normal(22, 8192, 2.5);
    const options = { ...defaults, candidates: 8, seed: 6 };
    const first = (await draw(logits, options)).tokens;
    expect((await draw(logits, options)).tokens).toEqual(first);
    expect((await draw(logits, { ...options, seed: 7 })).tokens).not.toEqual(first);
  });

  it.each([1, 37, 8192, 25408])('top-k 1 takes the largest of %i, the lower class of equal ones', async (classes) => {
    const logits = normal(23, classes, 2.5);
    const largest = logits.indexOf(Math.max(...logits));
    const greedy = { topK: 1, topP: 0.999, temperature: 0.7, candidates: 4 };
    expect([...(await draw(logits, greedy)).tokens].filter((_, i) => i % 16 === 4)).toEqual([
      largest,
      largest,
      largest,
      largest,
    ]);
    logits[classes - 1] = logits[largest]!;
    expect((await draw(logits, greedy)).tokens[4]).toBe(largest);
  });

  it('reads its classes from the middle of a row, its row modulo the rows', async () => {
    const logits = new Float32Array(2 * 10).fill(50);
    logits.fill(0, 3, 8)[5] = 9; // row 0, classes 3…7: class 2 of 5
    logits.fill(0, 13, 18)[17] = 9; // row 1: class 4
    const { tokens } = await draw(logits, {
      topK: 1,
      logitsRows: 2,
      rowStride: 10,
      firstClass: 3,
      classes: 5,
      candidates: 3,
    });
    expect([4, 20, 36].map((i) => tokens[i])).toEqual([2, 4, 2]);
  });

  it('writes one token, and the position of it', async () => {
    const { tokens, state, done } = await draw(Float32Array.of(0, 5), {
      topK: 1,
      start: 3,
      positionOffset: 2,
      candidates: 2,
      sequenceLength: 8,
    });
    expect([...tokens]).toEqual([777, 777, 777, 777, 777, 1, 777, 777, 777, 777, 777, 777, 777, 1, 777, 777]);
    expect([...state]).toEqual([3, 5]);
    expect([...done]).toEqual([0, 0]);
  });

  it('writes nothing beyond the sequence', async () => {
    const { tokens } = await draw(Float32Array.of(0, 5), { topK: 1, start: 7, candidates: 2, sequenceLength: 8 });
    expect(new Set(tokens)).toEqual(new Set([777]));
  });

  it('writes forced tokens and draws the others as if they were not forced', async () => {
    const logits = normal(24, 100, 1);
    const free = (await draw(logits, { start: 0, steps: 15 })).tokens;
    const forcedIds = Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? 500 + i : NO_TOKEN));
    const { tokens } = await draw(logits, { start: 0, steps: 15, forcedIds });
    for (let i = 1; i < 16; i++) expect(tokens[i], `position ${i}`).toBe(i % 3 === 0 ? 500 + i : free[i]);
  });

  it('closes a text at endId and writes zeros from there', async () => {
    const logits = new Float32Array(8);
    const { tokens, done } = await draw(logits, { candidates: 6, start: 0, steps: 15, endId: 3, seed: 8 });
    const free = (await draw(logits, { candidates: 6, start: 0, steps: 15, seed: 8 })).tokens;
    let closed = 0;
    for (let c = 0; c < 6; c++) {
      const own = Array.from(free.slice(c * 16 + 1, c * 16 + 16));
      const end = own.indexOf(3);
      const expected = own.map((token, i) => (end >= 0 && i > end ? 0 : token));
      expect(Array.from(tokens.slice(c * 16 + 1, c * 16 + 16)), `candidate ${c}`).toEqual(expected);
      expect(done[c], `candidate ${c}`).toBe(end >= 0 ? 1 : 0);
      if (end >= 0) closed++;
    }
    expect(closed).toBeGreaterThan(0);
    expect(
      [...(await draw(logits, { candidates: 2, endId: 3, doneBefore: [1, 1] })).tokens].filter((_, i) => i % 16 === 4),
    ).toEqual([0, 0]);
  });

  it('counts ids from endFrom on as endId', async () => {
    const logits = Float32Array.of(0, 0, 0, 0, 0, 9, 8);
    expect((await draw(logits, { topK: 1, endId: 3, endFrom: 5 })).tokens[4]).toBe(3);
    expect((await draw(logits, { topK: 1, endId: 3, endFrom: 6 })).tokens[4]).toBe(5);
  });

  it('does not hang on NaN, and takes class 0 when nothing is left', async () => {
    const nothing = new Float32Array(8192).fill(NaN);
    for (const topK of [0, 1, 768]) expect((await draw(nothing, { ...defaults, topK })).tokens[4]).toBe(0);
    nothing[5000] = -3;
    for (const topK of [0, 1, 768]) expect((await draw(nothing, { ...defaults, topK })).tokens[4]).toBe(5000);
  });
});

describe('guidance', () => {
  const filter: Filter = { topK: 6, topP: 0.9, temperature: 1.3 };
  const conditional = [0, 1, -1, 2, 0.5, -3, 1.5, 0, -0.5, 0.25];
  const unconditional = [3, 0, -1, 0, 0.5, 2, -1.5, 0, 1.5, 0.25];

  it.each([0.2, 0.5, 1])('follows the mixture of the filtered branches (chi-square), weight %f', async (guidance) => {
    const mixture = mixtureTwin(conditional, unconditional, filter, guidance);
    await expectFrequencies(Float32Array.of(...conditional, ...unconditional), { ...filter, guidance }, mixture);
  });

  it.each([37, 8192, 16384])('%i classes: the draws of the CPU twin, for both branches', async (classes) => {
    const candidates = 4;
    const logits = normal(31, 2 * candidates * classes, 2.5);
    const row = (r: number): Float32Array => logits.subarray(r * classes, (r + 1) * classes);
    const options = { topK: 768, topP: 0.99, temperature: 0.9, candidates, logitsRows: candidates, candidateOffset: 3 };
    const { tokens } = await draw(logits, { ...options, guidance: 0.3, seed: 77 });
    for (let c = 0; c < candidates; c++) {
      const twin = drawFromTwin(mixtureTwin(row(c), row(candidates + c), options, 0.3), 77, 3 + c, 4);
      expect(twin.margin).toBeGreaterThan(1e-4); // else another seed, please: f32 may decide the other way
      const [own, other] = [tokens[c * 16 + 4], tokens[(candidates + c) * 16 + 4]];
      expect(own, `candidate ${c}, margin ${twin.margin}`).toBe(twin.token);
      expect(other, `candidate ${c}, the other branch`).toBe(own);
    }
  });

  it('draws as if there were one branch where its weight is next to all', async () => {
    const logits = normal(32, 2 * 8192, 2.5);
    const options = { topK: 768, topP: 0.99, temperature: 1, candidates: 16, seed: 12 };
    const firstOf = ({ tokens }: DrawResult): number[] => Array.from({ length: 16 }, (_, c) => tokens[c * 16 + 4]!);
    for (const [guidance, row] of [[1e-30, 0], [1, 1]] as const) {
      const alone = firstOf(await draw(logits.slice(row * 8192, (row + 1) * 8192), options));
      expect(firstOf(await draw(logits, { ...options, guidance })), `weight ${guidance}`).toEqual(alone);
    }
  }); // prettier-ignore

  it('finds nothing where no logit of either branch is a number', async () => {
    const nothing = new Float32Array(20).fill(NaN);
    expect((await draw(nothing, { ...filter, guidance: 0.2 })).done[0]).toBe(2);
  });

  it.each([0, -0.1, 1.1, NaN])('refuses the weight %f', async (guidance) => {
    await expect(draw(new Float32Array(20), { guidance })).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining('guidance'),
    });
  });
});

describe('allowed classes', () => {
  it.each([
    [37, undefined],
    [8192, undefined],
    [16384, undefined],
    [8192, 0.4],
  ])('%i classes, guidance %s: the draws of the CPU twin without the others', async (classes, guidance) => {
    const branches = guidance === undefined ? 1 : 2;
    const logits = normal(41, branches * classes, 2.5);
    const random = uniform(42);
    const allowedIds = Array.from({ length: classes }, (_, id) => id).filter(() => random() < 0.3);
    const onList = new Set(allowedIds);
    const left = logits.map((logit, index) => (onList.has(index % classes) ? logit : -Infinity));
    const candidates = 16;
    const options = { topK: 64, topP: 0.8, temperature: 0.9, candidates, allowedIds };
    const { tokens } = await draw(logits, { ...options, seed: 3, ...(guidance === undefined ? {} : { guidance }) });
    for (let c = 0; c < candidates; c++) {
      const twin =
        guidance === undefined
          ? drawTwin(left, options, 3, c, 4)
          : drawFromTwin(mixtureTwin(left.slice(0, classes), left.slice(classes), options, guidance), 3, c, 4);
      if (twin.margin < 1e-4) continue; // f32 may decide the other way
      expect(tokens[c * 16 + 4], `candidate ${c}, margin ${twin.margin}`).toBe(twin.token);
    }
  });

  it('holds at both ends of a word of bits, and greedily too', async () => {
    const logits = Float32Array.from({ length: 70 }, (_, id) => id / 10);
    for (const id of [0, 31, 32, 63, 64, 69]) {
      expect((await draw(logits, { allowedIds: [id] })).tokens[4], `class ${id}`).toBe(id);
      expect((await draw(logits, { topK: 1, allowedIds: [0, id] })).tokens[4], `greedily ${id}`).toBe(id);
    }
  });

  it.each([-1, 10, 1.5, NaN])('refuses the id %f of ten', (id) => {
    expect(() => classBits([0, id], 10)).toThrow(
      expect.objectContaining({ code: 'bad-input', message: expect.stringContaining('allowed[1]') }),
    );
  });
});

describe('checkSampling', () => {
  it.each([
    {},
    { topK: 0 },
    { topK: 1e6 },
    { topP: 1 },
    { topP: 1e-9 },
    { temperature: 1e-9 },
    { seed: 0 },
    { seed: 0xffffffff },
    { count: 1 },
    { guidance: 0 },
    { guidance: 1 },
  ])('takes %o', (options) => {
    expect(() => checkSampling(options)).not.toThrow();
  });
  it.each([
    { topK: -1 }, { topK: 1.5 }, { topK: NaN }, { topK: 2 ** 32 }, { topP: 0 }, { topP: 1.0001 }, { topP: NaN }, { temperature: 0 }, { temperature: -1 },
    { temperature: Infinity }, { temperature: NaN }, { seed: -1 }, { seed: 2 ** 32 }, { seed: 0.5 }, { count: 0 }, { count: 1.5 },
    { guidance: -0.1 }, { guidance: 1.1 }, { guidance: NaN },
  ])('refuses %o', (options) => {
    expect(() => checkSampling(options)).toThrow(expect.objectContaining({ name: 'RudolphError', code: 'bad-input', message: expect.stringContaining(Object.keys(options)[0]!) }));
  }); // prettier-ignore
});

// Computed with Python's integers from the paper's listing.
const PCG4D_ZERO = [251852841, 760645481, 850445371, 3542436074];
const PCG4D_1234 = [908250390, 4044648920, 3775961919, 45698095];
