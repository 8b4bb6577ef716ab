import { describe, expect, it } from 'vitest';
import { given, Options } from '../../cli/support/options';

const spec = {
  values: ['count', 'top-p', 'out', 'mode', 'borders'],
  lists: ['class'],
  flags: ['json'],
  positionals: 'texts',
};
const parse = (...args: string[]): Options => new Options(args, spec);

describe('options', () => {
  it('reads values, switches and texts', () => {
    const options = parse('--count', '3', '--json', 'а', '--top-p=0.5', 'б');
    expect(options.integer('count')).toBe(3);
    expect(options.number('top-p')).toBe(0.5);
    expect(options.flag('json')).toBe(true);
    expect(options.positionals).toEqual(['а', 'б']);
  });

  it('gives undefined and false for what is not there', () => {
    const options = parse();
    expect([
      options.integer('count'),
      options.number('top-p'),
      options.string('out'),
      options.choice('mode', ['a']),
    ]).toEqual(Array(4).fill(undefined));
    expect(options.flag('json')).toBe(false);
  });

  it('names the options that there are for one that there is not', () => {
    expect(() => parse('--cuont', '3')).toThrow(
      `there is no option '--cuont'; there are --count, --top-p, --out, --mode, --borders, --class, --json, and "--" before texts that begin with a dash (--help explains them)`,
    );
    expect(() => new Options(['-c'], { values: ['count'] })).toThrow(
      "there is no option '-c'; there are --count (--help explains them)",
    );
  });

  it('refuses a second value where one is taken', () => {
    expect(() => parse('--out', 'a', '--json', '--out=b')).toThrow('--out is given twice; this command takes one');
    expect(parse('--json', '--json', '--out', 'a').string('out')).toBe('a');
  });

  it('takes everything after -- as text', () => {
    const options = parse('--json', '--', '--count', '-5', '--');
    expect(options.positionals).toEqual(['--count', '-5', '--']);
    expect(options.integer('count')).toBeUndefined();
  });

  it('takes a number below zero as a value, and says what is expected', () => {
    expect(() => parse('--count', '-1').integer('count', { min: 0, max: 9 })).toThrow(
      '--count is "-1"; expected a whole number from 0 to 9',
    );
    expect(parse('--class', '-5', '--class', '-0,5').all('class')).toEqual(['-5', '-0,5']);
    expect(() => parse('--json', '-1')).toThrow("there is no option '-1'"); // a switch takes none
  });

  it.each([
    ['1', { min: 1, max: 64 }],
    ['64', { min: 1, max: 64 }],
    ['+7', {}],
  ])('takes --count %s', (text, range) => {
    expect(parse(`--count=${text}`).integer('count', range)).toBe(Number(text));
  });

  it.each([
    ['0', 'from 1 to 64'],
    ['65', 'from 1 to 64'],
    ['1.5', 'a whole number'],
    ['1e3', 'a whole number'],
    ['', 'a whole number'],
    ['many', 'a whole number'],
    ['99999999999999999999', 'a whole number'],
  ])('refuses --count "%s"', (text, message) => {
    expect(() => parse(`--count=${text}`).integer('count', { min: 1, max: 64 })).toThrow(message);
  });

  it.each(['NaN', 'Infinity', '', ' ', '0,5', '1.01', '-0.1'])('refuses --top-p "%s"', (text) => {
    expect(() => parse(`--top-p=${text}`).number('top-p', { min: 0, max: 1 })).toThrow('--top-p');
  });

  it('keeps every value of an option that may be repeated, in order, empty ones too', () => {
    expect(parse('--class', 'кот', '--json', '--class=', '--class=дом, лес').all('class')).toEqual([
      'кот',
      '',
      'дом, лес',
    ]);
    expect(parse('--class', 'кот').someOf('class', 'a class')).toEqual(['кот']);
    expect(parse().all('class')).toEqual([]);
    expect(() => parse().someOf('class', 'a class of the picture')).toThrow(
      '--class is missing: a class of the picture',
    );
  });

  it('tells an empty text from a missing one', () => {
    expect(parse('--out=').text('out', 'a text')).toBe('');
    expect(() => parse('--out= ').required('out', 'a folder')).toThrow('--out is empty: expected a folder');
    expect(() => parse().required('out', 'a folder')).toThrow('--out is missing: a folder');
    expect(() => parse('--class', 'кот', '--class=').requiredOf('class', 'a class')).toThrow(
      '--class is empty: expected a class',
    );
    expect(() => parse().text('out', 'a text')).toThrow('--out is missing: a text');
  });

  it('reads whole numbers with commas between', () => {
    expect(parse('--borders', '1,0, 2,3').integers('borders', { min: 0, length: 4 })).toEqual([1, 0, 2, 3]);
    expect(parse('--borders', '7').integers('borders')).toEqual([7]);
    expect(parse().integers('borders')).toBeUndefined();
  });

  it.each(['1,2,3', '1,2,3,4,5', '1,2,3,', '1,2,3,x', '1,2,3,-1', '1.5,0,0,0', ''])(
    'refuses --borders "%s"',
    (text) => {
      expect(() => parse(`--borders=${text}`).integers('borders', { min: 0, length: 4 })).toThrow(
        `--borders is "${text}"; expected 4 comma-separated whole numbers of at least 0`,
      );
    },
  );

  it('knows limits that a number must not reach, and templates', () => {
    const range = { above: 0, max: 1 };
    expect(parse('--top-p=1').number('top-p', range)).toBe(1);
    expect(() => parse('--top-p=0').number('top-p', range)).toThrow(
      '--top-p is "0"; expected a number above 0 and at most 1',
    );
    expect(() => parse('--top-p=-1').number('top-p', { above: 0 })).toThrow('expected a number above 0');
    expect(parse('--out=рисунок: {}').template('out')).toBe('рисунок: {}');
    expect(parse().template('out')).toBeUndefined();
    expect(() => parse('--out=рисунок').template('out')).toThrow('--out is "рисунок"; expected a text with {}');
  });

  it('hands on only what was given', () => {
    expect(given({ a: 0, b: undefined, c: null, d: '' })).toEqual({ a: 0, c: null, d: '' });
    expect(Object.keys(given({ b: undefined }))).toEqual([]);
  });

  it('names the option and what is expected', () => {
    expect(() => parse().required('out', 'the folder to write')).toThrow('--out is missing: the folder to write');
    expect(() => parse('--mode', 'x').choice('mode', ['a', 'b'])).toThrow('--mode is "x"; it can be a, b');
    expect(() => parse('--mdoe', 'x')).toThrow("'--mdoe'");
    expect(() => parse('--json=1')).toThrow('--json');
    expect(() => parse('--out')).toThrow('--out');
    expect(() => new Options(['stray'], {})).toThrow('"stray" belongs to no option');
  });
});
