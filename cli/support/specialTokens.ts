import type { Options } from './options';

/** Options of commands whose task has both left and right text. */
export const SPECIAL_TOKEN_VALUES = ['left-special-token', 'right-special-token'] as const;
/** `defaults`: "LT_I2T and RT_I2T". */
export const SPECIAL_TOKEN_USAGE = (defaults: string): string =>
  `  --left-special-token S   --right-special-token S
                      of the left and of the right text, by upstream's names; none: no token
                      (default: ${defaults})`;

/** The special tokens of both texts; undefined where not given. */
export function specialTokensOf(options: Options): {
  leftSpecialToken: string | null | undefined;
  rightSpecialToken: string | null | undefined;
} {
  return {
    leftSpecialToken: specialTokenOf(options, 'left-special-token'),
    rightSpecialToken: specialTokenOf(options, 'right-special-token'),
  };
}

/** A special token by upstream's name, with or without angle brackets; `none` is null, not given is undefined. */
export function specialTokenOf(options: Options, name: string): string | null | undefined {
  const value = options.string(name);
  if (value === undefined) return undefined;
  return value === 'none' ? null : value.replace(/^<|>$/g, '');
}
