import { describe, expect, it } from 'vitest';
import { checkSampling, type Filter, NO_TOKEN, Sampler } from '../../src/model/sampler';
import { type DrawResult, expectFrequencies, normal, useSampler } from '../support/sampling';
import { drawTwin, filterTwin, gumbelTwin, pcg4dTwin } from '../twins/sampler';

const sampling = useSampler();
const { draw } = sampling;

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
      await expectFrequencies((how) => draw(logits, { ...filter, ...how }), filterTwin(logits, filter));
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
      const other = await Sampler.create(sampling.gpu, threadCount);
      expect((await draw(logits, options, other)).tokens, `${threadCount} threads`).toEqual(expected);
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
