import type { TextResult } from '../../src/tasks/types';
import type { Options } from './options';
import { print, printJson } from './output';

/** Prints written texts: as JSON with `more` fields, or a line each, with `remark(index)` behind it. */
export function printTexts(
  options: Options,
  { texts, counts, tokens, seed }: TextResult,
  more: object = {},
  remark?: (index: number) => string,
): void {
  if (options.flag('json')) return printJson({ texts, counts, tokens, ...more, seed });
  texts.forEach((text, index) => print(`${counts[index]}× ${text}${remark ? `  ${remark(index)}` : ''}`));
}
