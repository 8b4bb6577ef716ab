import { RudolphError } from '../errors';
import type { Ranking } from './types';

/** Upstream's weight of the text's perplexity where pictures are ranked by a text. */
export const IMAGE_RANKING_WEIGHT = 0.95;
/** Upstream's where texts are ranked by a picture: nearly all is said by how likely the text makes the picture. */
export const TEXT_RANKING_WEIGHT = 0.05;

/**
 * Upstream's score of each candidate, the lower the better: w · norm(text) + (1 − w) · norm(image), divided by `counts`.
 * @param weight w, 0…1. @throws RudolphError `bad-input` for another.
 */
export function rank(
  textPerplexities: readonly number[],
  imagePerplexities: readonly number[],
  weight: number,
  counts?: readonly number[],
): Ranking & { readonly order: readonly number[] } {
  checkWeight(weight);
  const text = normalized(textPerplexities);
  const image = normalized(imagePerplexities);
  const scores = text.map((value, k) => (weight * value + (1 - weight) * image[k]!) / (counts?.[k] ?? 1));
  // Sorting is stable: equal candidates stay in the order of the input.
  const order = scores.map((_, k) => k).sort((a, b) => scores[a]! - scores[b]!);
  return { scores, textPerplexities, imagePerplexities, order };
}

/** Before anything is computed. @throws RudolphError `bad-input` unless the weight of a ranking is absent or 0…1. */
export function checkWeight(weight: number | undefined): void {
  if (weight === undefined || (weight >= 0 && weight <= 1)) return;
  throw new RudolphError('bad-input', `the weight of the text is ${weight}, expected 0 (only the picture counts) to 1`);
}

/** @throws RudolphError `bad-input` unless `keep` is absent or an integer from 1 to `count`. */
export function checkKeep(keep: number | undefined, count = 1): void {
  if (keep === undefined || (Number.isInteger(keep) && keep >= 1 && keep <= count)) return;
  throw new RudolphError(
    'bad-input',
    `keep is ${keep}, expected an integer from 1 to count, which is ${count}: as many are drawn, the best are kept`,
  );
}

/** The `keep` best of what was ranked, best first. */
export function best(
  ranking: Ranking & { readonly order: readonly number[] },
  keep: number,
): { readonly chosen: readonly number[]; readonly ranking: Ranking } {
  const chosen = ranking.order.slice(0, keep);
  const of = (values: readonly number[]): number[] => chosen.map((k) => values[k]!);
  return {
    chosen,
    ranking: {
      scores: of(ranking.scores),
      textPerplexities: of(ranking.textPerplexities),
      imagePerplexities: of(ranking.imagePerplexities),
    },
  };
}

/**
 * (p − min) / (median − min), the median linearly interpolated. Where more than half are equally small, which is 0/0
 * upstream, the range takes the median's place; where all are equal, all are 0.
 */
export function normalized(perplexities: readonly number[]): number[] {
  const sorted = [...perplexities].sort((a, b) => a - b);
  const least = sorted[0] ?? 0;
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  const scale = median - least || sorted.at(-1)! - least || 1;
  return perplexities.map((perplexity) => (perplexity - least) / scale);
}

/** Upstream's zero-shot scores: softmax(p / ‖p‖₂), the lowest wins. */
export function zeroShotScores(perplexities: readonly number[]): number[] {
  const norm = Math.hypot(...perplexities) || 1;
  const exponents = perplexities.map((perplexity) => Math.exp(perplexity / norm));
  const total = exponents.reduce((sum, value) => sum + value, 0);
  return exponents.map((value) => value / total);
}

/** Proportional to 1 / perplexity. */
export function inverseProbabilities(perplexities: readonly number[]): number[] {
  const least = Math.min(...perplexities);
  const shares = perplexities.map((perplexity) => least / perplexity);
  const total = shares.reduce((sum, value) => sum + value, 0);
  return shares.map((value) => value / total);
}
