import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildPrompt, normalizePrompt } from '../../src/text/prompt';
import { Tokenizer } from '../../src/text/tokenizer';

const FOLDER = 'test/fixtures/tiny-a';
const bytes = new Uint8Array(readFileSync(`${FOLDER}/bpe.model`));
const tokenizer = Tokenizer.parse(bytes);
const cases = JSON.parse(readFileSync(`${FOLDER}/tokenizer_cases.json`, 'utf8')) as {
  vocab: string[];
  encode: { text: string; ids: number[] }[];
  subwords: { text: string; pieces: string[] }[];
  decode: { ids: number[]; ignore_ids: number[]; text: string }[];
};

describe('Tokenizer against YouTokenToMe', () => {
  it('has its vocabulary', () => {
    expect(Array.from(cases.vocab, (_, id) => tokenizer.piece(id))).toEqual(cases.vocab);
    expect(tokenizer.vocabularySize).toBe(cases.vocab.length);
    expect([tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos]).toEqual([0, 1, 2, 3]);
  });

  it(`encodes ${cases.encode.length} texts alike`, () => {
    expect(cases.encode.length).toBeGreaterThan(100);
    expect(cases.encode.map(({ text }) => ({ text, ids: tokenizer.encode(text) }))).toEqual(cases.encode);
  });

  it(`cuts ${cases.subwords.length} texts into the same pieces`, () => {
    expect(cases.subwords.map(({ text }) => ({ text, pieces: tokenizer.subwords(text) }))).toEqual(cases.subwords);
  });

  it(`decodes ${cases.decode.length} lists of ids alike`, () => {
    expect(cases.decode.map((item) => ({ ...item, text: tokenizer.decode(item.ids, item.ignore_ids) }))).toEqual(
      cases.decode,
    );
  });

  it('refuses ids that are none', () => {
    expect(() => tokenizer.decode([400])).toThrow('token id 400 is not of the vocabulary (0 to 399)');
    expect(() => tokenizer.decode([-1])).toThrow('not of the vocabulary');
  });

  it('encodes a word of 200,000 characters in time', () => {
    const started = performance.now();
    const ids = tokenizer.encode('треугольник'.repeat(20_000));
    expect(performance.now() - started).toBeLessThan(5000); // quadratic merging would need minutes
    expect(ids.length).toBe(20_000);
    expect(tokenizer.decode(ids)).toBe('треугольник'.repeat(20_000));
  });
});

describe('merging', () => {
  /** Characters a, b, ▁ (ids 4, 5, 6), then rules. */
  const model = (...rules: string[]) =>
    Tokenizer.parse(
      new TextEncoder().encode([`3 ${rules.length}`, '97 4', '98 5', '9601 6', ...rules, '1 0 2 3'].join('\n')),
    );

  it('takes the leftmost of equal pairs first', () => {
    expect(model('4 4 7').subwords('aaa')).toEqual(['▁', 'aa', 'a']);
  });
  it('takes the lowest rule first', () => {
    expect(model('4 5 7', '5 4 8').subwords('bab')).toEqual(['▁', 'b', 'ab']);
    expect(model('5 4 7', '4 5 8').subwords('bab')).toEqual(['▁', 'ba', 'b']);
  });
  it('lets the last of two equal rules win', () => {
    // ab → 7 has line 4, but the later line makes it worth less than ba.
    expect(model('4 5 7', '5 4 8', '4 5 9').subwords('bab')).toEqual(['▁', 'ba', 'b']);
    expect(model('4 5 7', '4 5 8').encode('ab')).toEqual([6, 8]);
  });
  it('never merges across unknown characters', () => {
    expect(model('4 5 7').encode('aéb ab')).toEqual([6, 4, 1, 5, 6, 7]);
  });
});

describe('a damaged bpe.model', () => {
  const text = new TextDecoder().decode(bytes);
  const parse = (content: string) => () => Tokenizer.parse(new TextEncoder().encode(content), 'bpe.model');
  it.each([
    ['empty', '', 'bpe.model is not a usable YouTokenToMe model: line 1 is missing'],
    ['HTML', '<!doctype html>', 'line 1 is "<!doctype html>", expected 2 whole numbers'],
    ['truncated', text.slice(0, 2000), 'line 1 announces 57 characters and 339 rules, the file has'],
    [
      'without its last line',
      text.split('\n').slice(0, 397).join('\n') + '\n',
      'line 398 is missing (the file is truncated)',
    ],
    ['with a strange id', text.replace('1076 16', '1076 16000'), 'line 2 has the id 16000, expected 0 to 399'],
    ['with an id twice', text.replace('1076 16', '1076 10'), 'uses the id 10 a second time'],
    [
      'with a rule of unknown ids',
      text.replace(/\n\d+ \d+ 399\n/, '\n198 500 399\n'),
      'merges the ids 198 and 500, one of which is not known yet',
    ],
    ['with letters', text.replace('1076 16', '1076 x'), 'line 2 is "1076 x", expected 2 whole numbers'],
  ])('%s', (_, content, message) => {
    expect(parse(content)).toThrow(message);
  });
});

describe('prompts', () => {
  it('lower-cases and strips as Python does', () => {
    expect(normalizePrompt(' \u00a0\u3000КОТ и ПЁС\u0085\n')).toBe('кот и пёс');
    expect(normalizePrompt('\ufeffКот')).toBe('\ufeffкот'); // not white space in Python
  });
  it('frames, pads and cuts without restoring the end', () => {
    expect(buildPrompt(tokenizer, ' КОТ ', { special: 402, length: 6 })).toEqual({
      ids: [2, 402, 186, 3, 0, 0],
      count: 4,
      cut: 0,
    });
    expect(buildPrompt(tokenizer, 'кот', { special: null, length: 6, close: false })).toEqual({
      ids: [2, 186, 0, 0, 0, 0],
      count: 2,
      cut: 0,
    });
    expect(buildPrompt(tokenizer, 'кот кот кот', { special: 402, length: 4 })).toEqual({
      ids: [2, 402, 186, 186],
      count: 4,
      cut: 2,
    });
    expect(buildPrompt(tokenizer, '', { special: 403, length: 4 })).toEqual({ ids: [2, 403, 3, 0], count: 3, cut: 0 });
  });
  it('takes a prompt of 10,000 characters', () => {
    expect(buildPrompt(tokenizer, 'красный круг '.repeat(800), { special: 402, length: 16 }).count).toBe(16);
  });
});
