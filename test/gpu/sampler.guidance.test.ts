import { describe, expect, it } from 'vitest';
import { classBits, type Filter } from '../../src/model/sampler';
import { uniform } from '../support/random';
import { type DrawResult, expectFrequencies, normal, useSampler } from '../support/sampling';
import { drawFromTwin, drawTwin, mixtureTwin } from '../twins/sampler';

const { draw } = useSampler();

describe('guidance', () => {
  const filter: Filter = { topK: 6, topP: 0.9, temperature: 1.3 };
  const conditional = [0, 1, -1, 2, 0.5, -3, 1.5, 0, -0.5, 0.25];
  const unconditional = [3, 0, -1, 0, 0.5, 2, -1.5, 0, 1.5, 0.25];

  it.each([0.2, 0.5, 1])('follows the mixture of the filtered branches (chi-square), weight %f', async (guidance) => {
    const mixture = mixtureTwin(conditional, unconditional, filter, guidance);
    const logits = Float32Array.of(...conditional, ...unconditional);
    await expectFrequencies((how) => draw(logits, { ...filter, guidance, ...how }), mixture);
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
    for (const [guidance, row] of [[0, 0], [1e-30, 0], [1, 1]] as const) {
      const alone = firstOf(await draw(logits.slice(row * 8192, (row + 1) * 8192), options));
      expect(firstOf(await draw(logits, { ...options, guidance })), `weight ${guidance}`).toEqual(alone);
    }
  }); // prettier-ignore

  it.each([
    ['both', 0, 20],
    ['the conditional branch', 0, 10],
    ['the unconditional branch', 10, 20],
  ])('finds nothing where no logit of %s is a number', async (_, from, to) => {
    const logits = normal(33, 20, 1).fill(NaN, from, to);
    for (const topK of [0, 1, 6])
      expect((await draw(logits, { ...filter, topK, guidance: 0.2 })).done[0], `top-k ${topK}`).toBe(2);
  });

  it.each([-0.1, 1.1, NaN])('refuses the weight %f', async (guidance) => {
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
