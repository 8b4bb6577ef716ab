import { RudolphError } from '../../src/errors';
import type { Ranking } from '../../src/tasks/types';
import type { Options } from './options';

/** The ranking's fields of a command's JSON, named as upstream names them. */
export function rankingJson(ranking: Ranking): { scores: unknown; ppl_txt: unknown; ppl_img: unknown } {
  return { scores: ranking.scores, ppl_txt: ranking.textPerplexities, ppl_img: ranking.imagePerplexities };
}

/** One candidate's place in a ranking, for people. */
export function rankingLine(ranking: Ranking, index: number): string {
  const text = perplexityText(ranking.textPerplexities[index]!);
  const picture = perplexityText(ranking.imagePerplexities[index]!);
  return `score ${ranking.scores[index]!.toFixed(4)} (perplexity of the text ${text}, of the picture ${picture})`;
}

/** A perplexity for people: six digits are more than they mean. */
export function perplexityText(perplexity: number): string {
  return String(Number(perplexity.toPrecision(6)));
}

/** Options of commands that draw several and keep the best. */
export const KEEP_VALUES = ['keep', 'weight'] as const;
export const KEEP_USAGE = (
  what: string,
  weight: string,
): string => `  --keep K            rank the ${what} and keep the K best, best first (default: keep all, unranked)
  --weight W          with --keep: the text's weight in the ranking, 0 to 1 (default: ${weight})`;

/** Reads --keep and --weight; `count` is how many are drawn. */
export function keepOf(
  options: Options,
  count: number,
): { keep: number | undefined; rankingWeight: number | undefined } {
  const keep = options.integer('keep', { min: 1 });
  const rankingWeight = options.number('weight', { min: 0, max: 1 });
  if (keep !== undefined && keep > count) {
    throw new RudolphError('bad-input', `--keep is ${keep}, but only ${count} would be drawn: raise --count`);
  }
  if (rankingWeight !== undefined && keep === undefined)
    throw new RudolphError('bad-input', '--weight is for ranking: give --keep, too');
  return { keep, rankingWeight };
}
