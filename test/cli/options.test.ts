import { describe, expect, it } from 'vitest';
import { Options } from '../../cli/support/options';

const spec = { values: ['count', 'top-p', 'out', 'mode'], flags: ['json'], positionals: 'texts' };
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

  it('takes everything after -- as text', () => {
    const options = parse('--json', '--', '--count', '-5', '--');
    expect(options.positionals).toEqual(['--count', '-5', '--']);
    expect(options.integer('count')).toBeUndefined();
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

  it('names the option and what is expected', () => {
    expect(() => parse().required('out', 'the folder to write')).toThrow('--out is missing: the folder to write');
    expect(() => parse('--mode', 'x').choice('mode', ['a', 'b'])).toThrow('--mode is "x"; it can be a, b');
    expect(() => parse('--mdoe', 'x')).toThrow("'--mdoe'");
    expect(() => parse('--json=1')).toThrow('--json');
    expect(() => parse('--out')).toThrow('--out');
    expect(() => new Options(['stray'], {})).toThrow('"stray" belongs to no option');
  });
});
