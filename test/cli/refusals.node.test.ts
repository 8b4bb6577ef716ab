import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import type { Command } from '../../cli/support/command';
import { readImageTokens, readOnePicture } from '../../cli/support/imageTokens';
import { Options } from '../../cli/support/options';

const modules = import.meta.glob<{ command: Command }>('../../cli/commands/*.ts', { eager: true });
const PICTURE = 'test/fixtures/tiny-a/image0.png';
const folder = mkdtempSync(join(tmpdir(), 'rudolph-refusals-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function json(name: string, value: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
}
const one = json('one.json', [1, 2, 3, 4]);
const two = json('two.json', {
  codebooks: [
    [1, 2],
    [3, 4],
  ],
});

const taken = join(folder, 'taken');
mkdirSync(taken);
for (const number of [0, 2]) writeFileSync(join(taken, `rudolph-5-${number}.png`), 'somebody’s');

/** None of these names a model: what is wrong is found before one is opened. */
const REFUSED: readonly [args: string[], message: string | RegExp][] = [
  [['draw'], '--text is missing: what to draw, in Russian'],
  [['draw', '--text', ' '], '--text is empty: expected what to draw, in Russian'],
  [['draw', '--text', 'кот', '--top-p', '2'], '--top-p is "2"; expected a number above 0 and at most 1'],
  [['draw', '--text', 'кот', '--temperature', '0'], '--temperature is "0"; expected a number above 0'],
  [['draw', '--text', 'кот', '--template', 'рисунок'], /^--template is "рисунок"; expected a text with {}/],
  [['draw', '--text', 'кот', '--keep', '2'], '--keep is 2, but only 1 would be drawn: raise --count'],
  [['draw', '--text', 'кот', '--count', '4', '--keep', '0'], '--keep is "0"; expected a whole number of at least 1'],
  [['draw', '--text', 'кот', '--weight', '0.5'], '--weight is for ranking: give --keep, too'],
  [['draw', '--text', 'кот', '--guidance', '1.5'], '--guidance is "1.5"; expected a number from 0 to 1'],
  [['draw', '--text', 'кот', '--decoder', 'fine'], '--decoder is "fine"; it can be plain, dwt'],
  [['draw', '--text', 'кот', '--seed', '-1'], '--seed is "-1"; expected a whole number from 0 to 4294967295'],
  [['draw', '--text', 'кот', '--out', PICTURE], `${PICTURE} is no folder; choose another --out`],
  [
    ['draw', '--text', 'кот', '--seed', '5', '--count', '2', '--out', taken],
    `${join(taken, 'rudolph-5-0.png')} exists already; --force replaces it, another --seed or --out leaves it alone`,
  ],
  [
    ['draw', '--text', 'кот', '--seed', '5', '--count', '4', '--keep', '3', '--out', taken],
    `${join(taken, 'rudolph-5-0.png')} and 1 more exist already; --force replaces them, another --seed or --out leaves them alone`,
  ],
  [['draw', '--text', 'кот', '--seed', '5', '--out', taken, '--force'], /^--model is missing/],
  [['draw', '--text', 'кот', '--seed', '6', '--out', taken], /^--model is missing/],
  [['draw', '--text', 'кот', '--out', 'never'], '--model is missing: the folder of a web model, or "embedded"'],
  [['inpaint', '--text', 'кот', '--image', PICTURE], /^give either --borders .* or --mask/],
  [
    ['inpaint', '--text', 'кот', '--image', PICTURE, '--borders', '1,1,1,1', '--mask', PICTURE],
    /^give either --borders/,
  ],
  [['inpaint', '--text', 'кот', '--image', PICTURE, '--borders', '1,1'], /^--borders is "1,1"; expected 4 comma-sep/],
  [['inpaint', '--text', 'кот', '--borders', '1,0,0,0'], '--image is missing: the picture to draw in'],
  [['inpaint', '--image', PICTURE, '--borders', '1,0,0,0'], '--text is missing: what to draw, in Russian'],
  [['caption'], '--image is missing: the picture to describe'],
  [['caption', '--image', PICTURE, '--codebook', one], '--image and --codebook exclude each other'],
  [['caption', '--codebook', two], `${two} holds the tokens of 2 pictures: choose one by --candidate, 0 to 1`],
  [
    ['caption', '--codebook', two, '--candidate', '2'],
    `--candidate is 2, but ${two} holds the tokens of 2 pictures: 0 to 1`,
  ],
  [
    ['caption', '--codebook', one, '--candidate', '1'],
    `--candidate is 1, but ${one} holds the tokens of one picture: 0`,
  ],
  [['caption', '--codebook', two, '--candidate', '-1'], '--candidate is "-1"; expected a whole number of at least 0'],
  [['caption', '--codebook', two, '--candidate', '1'], /^--model is missing/],
  [
    ['caption', '--image', PICTURE, '--candidate', '1'],
    '--candidate chooses among the pictures of --codebook: give that, too',
  ],
  [['caption', '--image', PICTURE, '--count', '2', '--keep', '3'], /^--keep is 3, but only 2 would be drawn/],
  [['answer', '--image', PICTURE], '--question is missing: the question, in Russian'],
  [['answer', '--question', 'что?', '--kind', 'visual'], /^--image is missing: the picture that the question is about/],
  [['answer', '--question', 'что?', '--kind', 'maths', '--image', PICTURE], /^a maths question takes no picture/],
  [['answer', '--question', 'что?', '--kind', 'audio'], '--kind is "audio"; it can be visual, text, maths'],
  [['read'], '--image is missing: the picture to read'],
  [['classify', '--image', PICTURE], /^--class is missing/],
  [['classify', '--image', PICTURE, '--class', 'кот', '--class', ''], /^--class is empty/],
  [['classify', '--class', 'кот'], '--image is missing: the picture to classify'],
  [['continue'], '--text is missing: the beginning, in Russian'],
  [['continue', '--text', ''], /^--model is missing/], // an empty text is one
  [['continue', '--text', 'кот', '--allowed', '1;2'], /^--allowed is "1;2"; expected comma-separated whole numbers/],
  [['rank-images', '--text', 'кот'], /^give the pictures to rank either by --image/],
  [['rank-images', '--text', 'кот', '--image', PICTURE, '--codebooks', two], /^give the pictures to rank either/],
  [['rank-images', '--image', PICTURE], '--text is missing: the text to rank by'],
  [['rank-images', '--text', '', '--codebooks', two], /^--model is missing/], // an empty text is one
  [['rank-texts', '--image', PICTURE], /^--text is missing/],
  [
    ['rank-texts', '--image', PICTURE, '--text', 'а', '--text', 'б', '--counts', '1'],
    '--counts has 1 numbers for 2 texts',
  ],
  [['perplexity'], 'give at least one of --left, --image (or --codebook) and --right'],
  [['perplexity', '--left', ''], /^--model is missing/],
  [['perplexity', '--left', 'кот', '--right', 'кот'], '--image is missing: right text needs a picture before it'],
  [
    ['decode-image', '--indices', two, '--out', 'never.png'],
    `${two} holds the tokens of 2 pictures: choose one by --candidate, 0 to 1`,
  ],
  [['decode-image', '--indices', two, '--candidate', '1', '--out', 'never.png'], /^--model is missing/],
];

async function expectRefusal([name, ...args]: string[], message: string | RegExp): Promise<void> {
  const error = await modules[`../../cli/commands/${name}.ts`]!.command.run(args, new AbortController().signal).then(
    () => null,
    (thrown: Error) => thrown,
  );
  expect(error).toMatchObject({ name: 'RudolphError', code: 'bad-input' });
  expect(error!.message).not.toContain('\n');
  if (typeof message === 'string') expect(error!.message).toBe(message);
  else expect(error!.message).toMatch(message);
}

test.each(REFUSED)('rudolph-web %j', expectRefusal);

/** These name a model of 16×16 tokens, of which nothing but the manifest is read: its weights lie nowhere, and no adapter is asked for. */
const TOO_MUCH: readonly [args: string[], message: string | RegExp][] = [
  [
    ['inpaint', '--text', 'кот', '--image', PICTURE, '--borders', '17,0,0,0'],
    'the border up is 17, expected 0 to 16 tokens',
  ],
  [
    ['inpaint', '--text', 'кот', '--image', PICTURE, '--borders', '8,8,8,8'],
    'the borders keep all 16×16 tokens, so there is nothing to draw',
  ],
  [
    ['inpaint', '--text', 'кот', '--image', PICTURE, '--mask', 'docs/page.png'],
    /^the mask is \d+×\d+, the picture \d+×\d+: their proportions must be the same$/,
  ],
  [['caption', '--codebook', one], 'the picture has 4 image tokens, expected 256'],
  [['perplexity', '--codebook', one], 'the picture has 4 image tokens, expected 256'],
  [['continue', '--text', 'кот', '--allowed', '17,99999'], /^allowed holds 99999, expected text ids from 0 to \d+$/],
  [
    ['continue', '--text', 'кот', '--allowed', '-1'],
    '--allowed is "-1"; expected comma-separated whole numbers of at least 0',
  ],
];
const hollow = join(folder, 'hollow');
mkdirSync(hollow);
writeFileSync(join(hollow, 'rudolph.json'), readFileSync('public/models/embedded/rudolph.json'));

test.each(TOO_MUCH)('rudolph-web %j, by the manifest alone', (args, message) =>
  expectRefusal([...args, '--model', hollow], message),
);

describe('image tokens in a file', () => {
  it.each<[string, unknown, number[][]]>([
    ['an array', [1, 0, 2], [[1, 0, 2]]],
    ['arrays', [[1], [2]], [[1], [2]]],
    ['what encode-image prints', { indices: [1, 2], width: 2, height: 1 }, [[1, 2]]],
    ['what draw prints', { codebooks: [[3, 4]], files: ['a.png'], seed: 1 }, [[3, 4]]],
    ['what caption prints', { texts: ['кот'], tokens: [[7]], codebook: [5, 6], seed: 1 }, [[5, 6]]],
  ])('%s', async (what, value, codebooks) => {
    expect((await readImageTokens(json(`${what}.json`, value))).codebooks).toEqual(codebooks);
  });

  it('says the size where the file does', async () => {
    const file = json('sized.json', { indices: [1, 2], width: 2, height: 1 });
    const options = new Options([], {});
    expect(await readOnePicture(file, options)).toEqual({ tokens: [1, 2], size: { width: 2, height: 1 } });
    expect(await readOnePicture(one, options)).toEqual({ tokens: [1, 2, 3, 4], size: null });
  });

  it.each<[string, unknown]>([
    ['nothing', []],
    ['an empty picture', [[]]],
    ['a text', '"кот"'],
    ['null', 'null'],
    ['fractions', [0.5]],
    ['negative numbers', [[1], [-1]]],
    ['a mixture', [1, [2]]],
    ['other fields', { tokens: [1] }],
  ])('refuses %s', async (what, value) => {
    const file = json(`${what}.json`, value);
    await expect(readImageTokens(file)).rejects.toThrow(`${file} must hold image tokens`);
  });

  it('names a file that is missing or no JSON', async () => {
    await expect(readImageTokens(join(folder, 'nowhere.json'))).rejects.toThrow(
      /nowhere\.json cannot be read: there is no/,
    );
    await expect(readImageTokens(json('bad.json', '{"indices": ['))).rejects.toThrow(/bad\.json is no JSON: /);
  });
});
