import type { Strings } from './strings';

/** Notices come in English; the usual ones are said in the widget's language. */
export function noticeText(message: string, strings: Strings): string {
  const cut = /only its first (\d+) of (\d+) tokens/.exec(message);
  if (cut) return strings.cut(Number(cut[1]), Number(cut[2]));
  if (/device was lost/.test(message)) return strings.restored;
  return /was not trained for this task/.test(message) ? strings.untrained : message;
}

/** Words of the prompt, joined by dashes, fit for every file system. */
export function fileName(prompt: string): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['rudolph'];
  return words.join('-').slice(0, 60);
}
