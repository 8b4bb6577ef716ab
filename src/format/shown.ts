const MOST_CHARACTERS = 60;
const MOST_NUMBERS = 16;

/**
 * A value out of a foreign file as messages show it. Not `String` or `JSON.stringify`, which a hostile value can make throw (lists
 * nested a hundred thousand deep, an object with a `toString` of its own) or run for ever (lists that hold each other).
 */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shortened(value, MOST_CHARACTERS));
  if (Array.isArray(value)) {
    const short = value.length <= MOST_NUMBERS && value.every((item) => typeof item === 'number');
    return short ? `[${value.join(', ')}]` : `a list of ${value.length}`;
  }
  if (typeof value === 'bigint') return 'a number beyond 2^53';
  if (typeof value === 'symbol' || typeof value === 'function') return `a ${typeof value}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** The first `most` characters of a text. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
