import { describe, expect, it } from 'vitest';
import { best, checkKeep, inverseProbabilities, normalized, rank, zeroShotScores } from '../../src/tasks/scores';

describe('scores of candidates', () => {
  it('are upstream’s', () => {
    // Of the reference bundle tiny-a, rank_images_by_text.
    const { scores, order } = rank(
      [409130.5625, 732979.5625, 1027210.875, 224892.625, 555512.25],
      [2557.7958984375, 38058.30078125, 389900.59375, 66023.203125, 8421.154296875],
      0.95,
    );
    [0.529387891292572, 1.5099332332611084, 2.8509209156036377, 0.08938663452863693, 0.9582581520080566].forEach(
      (expected, k) => expect(scores[k]).toBeCloseTo(expected, 5),
    );
    expect(order).toEqual([3, 0, 4, 1, 2]);
  });

  it('interpolate the median of an even number', () => {
    expect(normalized([1, 2, 4, 8])).toEqual([0, 0.5, 1.5, 3.5]);
  });

  it.each([
    ['one candidate', [7]],
    ['equal candidates', [3, 3, 3, 3]],
    ['mostly equal candidates', [1, 1, 1, 5]],
    ['two candidates', [1, 2]],
    ['huge ones', [1e30, 3e38, 2e38]],
  ])('are finite for %s', (_, values) => {
    const { scores } = rank(values, values, 0.5);
    for (const score of scores) expect(Number.isFinite(score)).toBe(true);
    expect(Math.min(...scores)).toBe(0);
  });

  it('prefer what came more often', () => {
    expect(rank([1, 2, 2], [1, 2, 2], 0.5, [1, 1, 2]).scores).toEqual([0, 1, 0.5]);
  });

  it('refuse a weight out of range', () => {
    for (const weight of [-0.1, 1.1, Number.NaN]) expect(() => rank([1], [1], weight)).toThrow(/weight of the text/);
  });

  it('give the best, best first', () => {
    const ranked = rank([3, 1, 2], [30, 10, 20], 0.5);
    const { chosen, ranking } = best(ranked, 2);
    expect(chosen).toEqual([1, 2]);
    expect(ranking.textPerplexities).toEqual([1, 2]);
    expect(ranking.imagePerplexities).toEqual([10, 20]);
    expect(ranking.scores).toEqual([ranked.scores[1], ranked.scores[2]]);
  });

  it('keep at most what is drawn', () => {
    expect(() => checkKeep(3, 3)).not.toThrow();
    for (const keep of [0, 4, 1.5]) expect(() => checkKeep(keep, 3)).toThrow(/keep is .* from 1 to count, which is 3/);
    expect(() => checkKeep(2)).toThrow(/keep is 2/);
  });
});

describe('zero-shot scores', () => {
  it('are upstream’s softmax(p / ‖p‖₂)', () => {
    const scores = zeroShotScores([3, 4]);
    expect(scores[0]).toBeCloseTo(Math.exp(0.6) / (Math.exp(0.6) + Math.exp(0.8)), 12);
    expect(scores[0]! + scores[1]!).toBeCloseTo(1, 12);
  });

  it('and probabilities are finite for one class, equal classes and huge perplexities', () => {
    for (const values of [[5], [2, 2], [1e38, 1, 3e38]]) {
      for (const list of [zeroShotScores(values), inverseProbabilities(values)]) {
        expect(list.every((value) => Number.isFinite(value))).toBe(true);
        expect(list.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
      }
    }
    expect(inverseProbabilities([1, 3])).toEqual([0.75, 0.25]);
  });
});
