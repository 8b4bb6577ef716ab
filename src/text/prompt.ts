import { RudolphError } from '../errors';
import type { Tokenizer } from './tokenizer';

/** What upstream does to a prompt before encoding it. */
export function normalizePrompt(text: string): string {
  return text.toLowerCase().trim();
}

/**
 * Ids of a text as a stream's beginning: `[bos] + [special] + ids + [eos]`, cut at `length` without restoring the eos,
 * and zero-padded to `length`.
 * @param special an id (`SpecialTokens`), or null for models without special tokens.
 * @param close false: without the closing eos, for templates that the model goes on from.
 * @returns `ids` (length entries) and `count`, how many of them are not padding.
 */
export function buildPrompt(
  tokenizer: Tokenizer,
  text: string,
  options: { readonly special: number | null; readonly length: number; readonly close?: boolean },
): { ids: number[]; count: number } {
  const { special, length, close = true } = options;
  if (!(Number.isInteger(length) && length > 0)) throw new RudolphError('bad-input', `a prompt of ${length} tokens was asked for`);
  const content = [tokenizer.bos, ...(special === null ? [] : [special]), ...tokenizer.encode(normalizePrompt(text)), ...(close ? [tokenizer.eos] : [])];
  const ids = content.slice(0, length);
  return { ids: [...ids, ...new Array<number>(length - ids.length).fill(0)], count: ids.length };
}
