import type { SpecialTokens } from './manifest';

/** Upstream's special tokens without angle brackets, in the order of their ids, which start at E, the size of the BPE vocabulary. */
export const SPECIAL_TOKEN_NAMES = [
  'LT_UNK',
  'RT_UNK',
  'LT_T2I',
  'LT_I2T',
  'LT_T2T',
  'RT_I2T',
  'LT_TQA',
  'RT_TQA',
  'LT_MQA',
  'RT_MQA',
  'LT_VQA',
  'RT_VQA',
  'LT_CAP',
  'RT_CAP',
  'LT_GEN',
  'LT_REC',
  'RT_REC',
] as const;

/** How many of them a kind of model was trained with. */
export const SPECIAL_TOKEN_SETS = { base: 6, fbc2: SPECIAL_TOKEN_NAMES.length } as const;
export type SpecialTokenSet = keyof typeof SPECIAL_TOKEN_SETS;

/**
 * The default ids of a set. `available` is the model's number of special ids; null where it has none.
 * @param bpeVocabulary E, the first special id.
 */
export function defaultSpecialTokens(set: SpecialTokenSet, bpeVocabulary: number, available: number): SpecialTokens {
  if (available === 0) return null;
  const count = Math.min(SPECIAL_TOKEN_SETS[set], available);
  return Object.fromEntries(SPECIAL_TOKEN_NAMES.slice(0, count).map((name, i) => [name, bpeVocabulary + i]));
}
