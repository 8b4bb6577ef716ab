import type { Dice } from './dice';

/** A piece of text that goes into the JSON as it is: what `JSON.stringify` would not write. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** An object with its keys in order, of which two may be the same. */
class Fields {
  readonly entries: [string, unknown][];
  constructor(entries: [string, unknown][]) {
    this.entries = entries;
  }
}

const deep = (depth: number) => new Raw('['.repeat(depth) + ']'.repeat(depth));

/** Characters that one change repeats: copies of copies would make texts of a hundred megabytes, and a million are to be read. */
const MOST_TEXT = 100_000;

/** What may stand where something else is expected. */
const VALUES: readonly (() => unknown)[] = [
  ...[null, true, false, '', 0, -1, 1, 2, 0.5, 7, 8, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32, 2 ** 53, 1e9, 1e15].map(
    (value) => () => value,
  ),
  ...['1e999', '-1e999', '-0', '9007199254740993', '1e21', 'NaN', '1e-7', '"\\ud800"', '"\\u0000"', ''].map(
    (text) => () => new Raw(text),
  ),
  () => [],
  () => new Fields([]),
  () =>
    new Fields([
      ['toString', 1],
      ['valueOf', null],
    ]),
  () => new Fields([['__proto__', new Fields([['polluted', true]])]]),
  () => [[[[[]]]]],
  () => deep(200),
  () => deep(30_000),
  () => new Array<number>(3000).fill(1),
  () => 'x'.repeat(20_000),
  () => '../../../etc/passwd',
  () => 'C:\\Windows\\win.ini',
  () => 'https://elsewhere.example/x',
  () => 'javascript:alert(1)',
  () => '//elsewhere.example/x',
  () => '\u001b[2J\u202e<img src=x onerror=alert(1)>',
];
const KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'length',
  '',
  '0',
  'name',
  'x'.repeat(5000),
  '\u001b[31m',
];

/** A JSON text like `original` with some values, keys or whole branches changed; sometimes no JSON any more. */
export function mutateJson(dice: Dice, original: unknown): string {
  const root = { value: parse(original) };
  for (let change = 1 + dice.skewed(6); change > 0; change--) {
    const places: Place[] = [{ get: () => root.value, set: (value) => void (root.value = value), within: null }];
    collect(root.value, places);
    changeOnce(dice, dice.pick(places), places);
  }
  return write(root.value);
}

interface Place {
  readonly get: () => unknown;
  readonly set: (value: unknown) => void;
  /** The list or object it stands in, and where. */
  readonly within: { readonly list: unknown[]; readonly index: number; readonly keyed: boolean } | null;
}

function parse(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(parse);
  if (typeof value !== 'object' || value === null) return value;
  return new Fields(Object.entries(value).map(([key, item]) => [key, parse(item)]));
}

function collect(value: unknown, places: Place[]): void {
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      places.push({
        get: () => value[index],
        set: (v) => void (value[index] = v),
        within: { list: value, index, keyed: false },
      });
      collect(item, places);
    });
  } else if (value instanceof Fields) {
    value.entries.forEach((entry, index) => {
      places.push({
        get: () => entry[1],
        set: (v) => void (entry[1] = v),
        within: { list: value.entries, index, keyed: true },
      });
      collect(entry[1], places);
    });
  }
}

function changeOnce(dice: Dice, place: Place, places: readonly Place[]): void {
  const { within } = place;
  const value = place.get();
  switch (dice.below(7)) {
    case 0:
    case 1:
      return place.set(dice.pick(VALUES)());
    case 2:
      return place.set(structured(dice.pick(places).get()));
    case 3: // near misses
      if (typeof value === 'number') return place.set(value + dice.pick([-1, 1, 0.5, value, 4, 256]));
      if (typeof value === 'string')
        return place.set(value.slice(0, dice.below(value.length + 1)) + dice.pick(['', '/', '.', 'é', '"']));
      return place.set(dice.pick(VALUES)());
    case 4:
      within?.list.splice(within.index, 1);
      return;
    case 5:
      within?.list.splice(
        within.index,
        0,
        ...repeated(
          within.list[within.index],
          Math.min(1 + dice.skewed(100), Math.floor(MOST_TEXT / write(value).length)),
        ),
      );
      return;
    default:
      if (within?.keyed) (within.list[within.index] as [string, unknown])[0] = dice.pick(KEYS);
      else place.set(dice.pick(VALUES)());
  }
}

function repeated(item: unknown, times: number): unknown[] {
  const isEntry = Array.isArray(item) && item.length === 2; // a key may come twice
  return Array.from({ length: times }, () => (isEntry ? [item[0], structured(item[1])] : structured(item)));
}

/** A copy, lest a branch put into itself makes a circle. */
function structured(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structured);
  if (value instanceof Fields) return new Fields(value.entries.map(([key, item]) => [key, structured(item)]));
  return value;
}

function write(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value instanceof Fields)
    return `{${value.entries.map(([key, item]) => `${JSON.stringify(key)}:${write(item)}`).join(',')}}`;
  return JSON.stringify(value);
}
