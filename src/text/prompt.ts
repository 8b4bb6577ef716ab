import { RudolphError } from '../errors';
import type { Tokenizer } from './tokenizer';

/** Python's idea of white space; JavaScript's `trim` also takes U+FEFF, and leaves U+001C to U+001F and U+0085. */
const ENDS =
  /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;

/** What upstream does to a prompt before encoding it: lower case, then white space off both ends. */
export function normalizePrompt(text: string): string {
  return text.toLowerCase().replace(ENDS, '');
}

/**
 * Ids of a text as a stream's beginning: `[bos] + [special] + ids + [eos]`, cut at `length` without restoring the eos,
 * and zero-padded to `length`.
 * @param special an id (`SpecialTokens`), or null for models without special tokens.
 * @param close false: without the closing eos, for templates that the model goes on from.
 * @returns `ids` (length entries), `count`, how many of them are not padding, and `cut`, how many did not fit.
 */
export function buildPrompt(
  tokenizer: Tokenizer,
  text: string,
  options: { readonly special: number | null; readonly length: number; readonly close?: boolean },
): { ids: number[]; count: number; cut: number } {
  const { special, length, close = true } = options;
  if (!(Number.isInteger(length) && length > 0))
    throw new RudolphError('bad-input', `a prompt of ${length} tokens was asked for`);
  const content = [
    tokenizer.bos,
    ...(special === null ? [] : [special]),
    ...tokenizer.encode(normalizePrompt(text)),
    ...(close ? [tokenizer.eos] : []),
  ];
  const ids = content.slice(0, length);
  return {
    ids: [...ids, ...new Array<number>(length - ids.length).fill(0)],
    count: ids.length,
    cut: content.length - ids.length,
  };
}
