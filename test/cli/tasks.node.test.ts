import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Cases, readTensors } from '../../cli/parity/bundle';
import { convertTiny, fixture, FOLDER } from '../convert/tiny';
import { runHere } from '../support/cli';

vi.mock('../../cli/dawn', async (original) => (await import('../support/oneDevice')).oneDevice(await original()));
vi.setConfig({ testTimeout: 300_000 }); // the first one compiles every kernel

/** tiny-a: 4×4 image tokens of 8×8 pixels, texts of 16 tokens. */
const SIDE = 4;
const PICTURE = `${FOLDER}/image0.png`;
const cases = JSON.parse(readFileSync(`${FOLDER}/cases.json`, 'utf8')) as Cases;
const PERPLEXITY = 5e-3; // relative, as parity allows

let folder: string;
let model: string;
/** A JSON file with the five codebooks that the bundle ranks. */
let codebooks: string;
let ranked: number[][];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rudolph-tasks-'));
  model = join(folder, 'tiny');
  mkdirSync(model);
  const { files } = await convertTiny({ vqganDwt: fixture('vqgan_dwt.ckpt') });
  for (const [name, bytes] of files) writeFileSync(join(model, name), bytes);
  const tensors = await readTensors(`${FOLDER}/cases.safetensors`);
  const { shape, data } = tensors.get(cases.rank_images_by_text!.codebooks)!;
  ranked = Array.from({ length: shape[0]! }, (_, i) => Array.from(data.subarray(i * shape[1]!, (i + 1) * shape[1]!)));
  codebooks = json('codebooks.json', ranked);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function json(name: string, value: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(value));
  return file;
}

/** Runs a command on the model; its stdout and stderr. */
function run(name: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return runHere([name, '--model', model, ...args]);
}

/** `run` with --json. */
async function runJson<Result>(name: string, ...args: string[]): Promise<Result> {
  const { stdout } = await run(name, '--json', ...args);
  expect(stdout.endsWith('}\n') && stdout.indexOf('\n') === stdout.length - 1, 'one line of JSON').toBe(true);
  return JSON.parse(stdout) as Result;
}

function expectRelative(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual).toHaveLength(expected.length);
  const worst = Math.max(...expected.map((value, k) => Math.abs(actual[k]! - value) / Math.abs(value)));
  expect(worst, `${actual.join()} instead of ${expected.join()}`).toBeLessThanOrEqual(tolerance);
}

const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

interface Ranks {
  readonly scores: number[];
  readonly ppl_txt: number[];
  readonly ppl_img: number[];
}
type Drawing = Ranks & {
  readonly text: string;
  readonly codebooks: number[][];
  readonly files: string[];
  readonly seed: number;
};
interface Texts {
  readonly texts: string[];
  readonly counts: number[];
  readonly tokens: number[][];
  readonly seed: number;
}
/** What a command that looks at a picture adds. */
interface Looked {
  readonly codebook: number[] | null;
}

describe('draw', () => {
  it('ranks, keeps the best and doubles the side', async () => {
    const prompt = ['--text', 'красный круг', '--seed', '7'];
    const out = join(folder, 'drawn');
    const drawn = await runJson<Drawing>(
      'draw',
      ...prompt,
      '--count',
      '5',
      '--keep',
      '3',
      '--decoder',
      'dwt',
      '--out',
      out,
    );
    expect(drawn.codebooks.map((codes) => codes.length)).toEqual([16, 16, 16]);
    expect(drawn.files).toEqual([0, 1, 2].map((number) => join(out, `rudolph-7-${number}.png`)));
    expect(drawn.scores).toEqual(ascending(drawn.scores));
    expect(drawn).toMatchObject({ seed: 7, text: 'красный круг' });
    expect(await sharp(drawn.files[2]).metadata()).toMatchObject({ width: SIDE * 16, height: SIDE * 16 });
    // The perplexities are those of the same pictures ranked by hand.
    const again = await runJson<Ranks>(
      'rank-images',
      '--text',
      'красный круг',
      '--codebooks',
      json('drawn.json', drawn),
    );
    expectRelative(drawn.ppl_txt, again.ppl_txt, 1e-4);
    expectRelative(drawn.ppl_img, again.ppl_img, 1e-4);
  });

  it('takes a template and guidance, which change the picture, and prints the files', async () => {
    const args = ['draw', '--text', 'круг', '--seed', '1', '--top-k', '1', '--out', join(folder, 'guided')];
    const tokens = async (...more: string[]): Promise<string> =>
      (await runJson<Drawing>(args[0]!, ...args.slice(1), '--force', ...more)).codebooks.join();
    const plain = await tokens();
    expect(await tokens('--template', '{}')).toBe(plain);
    expect(await tokens('--template', 'старый дом, {} у реки')).not.toBe(plain);
    expect(await tokens('--guidance', '1')).not.toBe(plain); // the empty prompt alone
    const { stdout } = await run(args[0]!, ...args.slice(1), '--keep', '1', '--force');
    expect(stdout).toMatch(
      /rudolph-1-0\.png {2}score 0\.0000 \(perplexity of the text [\d.e+]+, of the picture [\d.e+]+\)\n$/,
    );
  });
});

describe('pictures that are there already', () => {
  it('stay, unless --force replaces them', async () => {
    const out = join(folder, 'there');
    mkdirSync(out);
    const theirs = join(out, 'rudolph-4-0.png');
    writeFileSync(theirs, 'somebody’s');
    const args = ['--text', 'круг', '--seed', '4', '--out', out];
    await expect(run('draw', ...args)).rejects.toThrow(`${theirs} exists already; --force replaces it`);
    expect(readFileSync(theirs, 'utf8')).toBe('somebody’s');
    expect((await run('draw', ...args, '--force')).stdout).toBe(`${theirs}\n`);
    expect(await sharp(theirs).metadata()).toMatchObject({ format: 'png' });
    // Without a seed the names are new each time.
    const [first, second] = [
      await run('draw', '--text', 'круг', '--out', out),
      await run('draw', '--text', 'круг', '--out', out),
    ];
    expect(first.stdout).toMatch(/rudolph-\d+-0\.png\n$/);
    expect(second.stdout).not.toBe(first.stdout);
  });
});

describe('inpaint', () => {
  const args = ['--text', 'старый дом', '--seed', '3', '--count', '2'];
  const kept = (index: number, where: (row: number, column: number) => boolean, drawn: number[]): void => {
    const tokens = drawn.flatMap((id, t) => (where(Math.floor(t / SIDE), t % SIDE) ? [[id, ranked[index]![t]]] : []));
    expect(tokens.map(([id]) => id)).toEqual(tokens.map(([, id]) => id));
  };

  it('keeps borders and draws the rest', async () => {
    const picture = json('picture.json', ranked[0]);
    const out = join(folder, 'borders');
    const result = await runJson<Drawing>(
      'inpaint',
      ...args,
      '--codebook',
      picture,
      '--borders',
      '1,0,0,2',
      '--out',
      out,
    );
    expect(result.files[1]).toBe(join(out, 'rudolph-inpaint-3-1.png'));
    expect(result.text).toBe('старый дом');
    for (const codes of result.codebooks) kept(0, (row, column) => row < 1 || column < 2, codes);
    expect(result.codebooks[0]).not.toEqual(result.codebooks[1]);
    expect(await sharp(result.files[0]).metadata()).toMatchObject({ width: SIDE * 8, height: SIDE * 8 });
  });

  it('draws what is white in a mask', async () => {
    const picture = json('picture.json', ranked[0]);
    const pixels = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 64 >= 32 && i < 32 * 64 ? 255 : 0)); // right above
    const mask = join(folder, 'mask.png');
    await sharp(pixels, { raw: { width: 64, height: 64, channels: 1 } })
      .png()
      .toFile(mask);
    const result = await runJson<Drawing>('inpaint', ...args, '--codebook', picture, '--mask', mask, '--out', folder);
    for (const codes of result.codebooks) kept(0, (row, column) => row >= 2 || column < 2, codes);
    expect(result.codebooks.some((codes) => codes.join() !== ranked[0]!.join())).toBe(true);
  });
});

describe('caption', () => {
  it('ranks drafts and keeps the best', async () => {
    const sampling = ['--count', '6', '--seed', '5', '--top-k', '0', '--top-p', '1'];
    const result = await runJson<Texts & Ranks>(
      'caption',
      '--image',
      PICTURE,
      ...sampling,
      '--keep',
      '2',
      '--template',
      'кот',
    );
    expect(result.texts).toHaveLength(2);
    for (const list of [result.counts, result.tokens, result.scores, result.ppl_txt, result.ppl_img])
      expect(list).toHaveLength(2);
    expect(result.scores).toEqual(ascending(result.scores));
    for (const text of result.texts) expect(text.startsWith('кот')).toBe(true);
    const all = await runJson<Texts>('caption', '--image', PICTURE, ...sampling, '--template', 'кот');
    expect(sum(all.counts)).toBe(6);
    expect(all.texts).toEqual(expect.arrayContaining(result.texts));
    expect(all).not.toHaveProperty('scores');
  });

  it('takes an instruction at the left', async () => {
    const args = ['--image', PICTURE, '--seed', '5', '--count', '4', '--top-k', '0', '--top-p', '1'];
    const texts = async (...more: string[]): Promise<string[]> =>
      (await runJson<Texts>('caption', ...args, ...more)).texts;
    expect(await texts('--instruction', 'опиши изображение.')).not.toEqual(await texts());
  });
});

describe('a candidate', () => {
  it('of what draw prints is described, and decoded', async () => {
    const prompt = ['--text', 'круг', '--seed', '9', '--count', '2', '--out', join(folder, 'candidates')];
    const drawn = await runJson<Drawing>('draw', ...prompt);
    const file = json('candidates.json', drawn);
    const captioned = await runJson<Texts & Looked>('caption', '--codebook', file, '--candidate', '1', '--seed', '1');
    expect(captioned.codebook).toEqual(drawn.codebooks[1]);
    // Its own JSON is as good.
    const again = await runJson<Looked>('perplexity', '--codebook', json('captioned.json', captioned));
    expect(again.codebook).toEqual(drawn.codebooks[1]);
    const out = join(folder, 'candidate.png');
    await run('decode-image', '--indices', file, '--candidate', '1', '--out', out);
    const pixels = (path: string): Promise<Buffer> => sharp(path).raw().toBuffer();
    expect(await pixels(out)).toEqual(await pixels(drawn.files[1]!));
  });
});

describe('answer and read', () => {
  it('answer questions about a picture, a text and a sum', async () => {
    const args = ['--question', 'что стоит у реки?', '--seed', '2', '--count', '3', '--temperature', '2'];
    const answers: (Texts & Looked & { ppl_txt: number[] })[] = [];
    for (const more of [['--image', PICTURE], [], ['--kind', 'maths']])
      answers.push(await runJson('answer', ...args, ...more));
    for (const { counts, texts, tokens, seed, ppl_txt: perplexities } of answers) {
      expect(perplexities).toHaveLength(texts.length);
      expect(perplexities.every((value) => value >= 1)).toBe(true);
      expect(sum(counts)).toBe(3);
      expect(tokens).toHaveLength(texts.length);
      expect(tokens.flat().every((id) => id < 400)).toBe(true); // BPE ids only
      expect(seed).toBe(2);
    }
    expect(answers[0]!.tokens).not.toEqual(answers[1]!.tokens);
    const encoded = JSON.parse((await run('encode-image', '--json', '--image', PICTURE)).stdout) as {
      indices: number[];
    };
    expect(answers.map(({ codebook }) => codebook)).toEqual([encoded.indices, null, null]);
    // Behind the same left text and picture, by the other command.
    const alone = await runJson<{ ppl_right: number }>(
      'perplexity',
      '--left',
      'ответь на вопрос по картинке. что стоит у реки?',
      '--image',
      PICTURE,
      '--right',
      answers[0]!.texts[0]!,
      '--left-special-token',
      'LT_UNK',
      '--right-special-token',
      'RT_UNK',
    );
    expectRelative([answers[0]!.ppl_txt[0]!], [alone.ppl_right], 1e-4);
    const read = await runJson<Texts & Looked & { ppl_txt: number[] }>('read', '--image', PICTURE, '--seed', '2');
    expect(read.ppl_txt).toHaveLength(read.texts.length);
    expect(read.codebook).toEqual(encoded.indices);
  });

  it('say on stderr that the model was not trained for it, and print a line a text', async () => {
    const { stdout, stderr } = await run('read', '--image', PICTURE, '--seed', '2', '--temperature', '2');
    expect(stderr).toMatch(/^note: the model has no token LT_REC: [^\n]*LT_UNK[^\n]*$/m);
    expect(stdout).toMatch(/^1× [^\n]*\n$/);
    expect(await run('read', '--image', PICTURE, '--left-special-token', 'LT_UNK', '--seed', '2')).toMatchObject({
      stderr: expect.not.stringContaining('LT_REC'),
    });
  });
});

describe('classify', () => {
  const { image, classes, r_template: template, ...expected } = cases.zero_shot!;
  const args = [
    ['--image', `${FOLDER}/${image}`],
    ['--template', template!],
    ...classes.map((name) => ['--class', name]),
  ].flat();

  it('gives upstream’s class and scores, and probabilities', async () => {
    const result = await runJson<
      Record<'scores' | 'probabilities' | 'ppl_txt', number[]> & Looked & { label: number; tokens: number[][] }
    >('classify', ...args);
    const rights = classes.map((name) => template!.replace('{}', name));
    expect(result.tokens).toEqual(JSON.parse((await run('tokenize', '--json', ...rights)).stdout));
    expect(result.codebook).toHaveLength(SIDE * SIDE);
    expect(result).toMatchObject({ label: expected.label, class: expected.class, classes });
    result.scores.forEach((score, k) => expect(score).toBeCloseTo(expected.scores[k]!, 3));
    expect(sum(result.probabilities)).toBeCloseTo(1, 6);
    expect(result.probabilities[result.label]).toBe(Math.max(...result.probabilities));
    expect(result.ppl_txt[result.label]).toBe(Math.min(...result.ppl_txt));
  });

  it('prints the likeliest class first', async () => {
    const lines = (await run('classify', ...args)).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(classes.length);
    expect(lines[0]).toMatch(new RegExp(`^ *[\\d.]+ % {2}${expected.class} {2}\\(perplexity [\\d.e+]+\\)$`));
  });

  it('takes a left text that differs from class to class', async () => {
    const varied = await runJson<{ ppl_txt: number[] }>('classify', ...args, '--left-template', 'это {}');
    const plain = await runJson<{ ppl_txt: number[] }>('classify', ...args);
    expect(varied.ppl_txt).toHaveLength(classes.length);
    expect(varied.ppl_txt).not.toEqual(plain.ppl_txt);
  });
});

describe('continue', () => {
  const upstream = cases.greedy!.find(({ task }) => task === 'text_to_text')!;

  it('goes on as upstream does', async () => {
    const [expected] = upstream.result!;
    const result = await runJson<Texts & { ppl_txt: number[] }>(
      'continue',
      '--text',
      upstream.template!,
      '--top-k',
      '1',
    );
    expect(result.texts).toEqual([expected!.text]);
    expectRelative(result.ppl_txt, [expected!.ppl_txt], PERPLEXITY);
  });

  it('draws only allowed ids', async () => {
    const template = (JSON.parse((await run('tokenize', '--json', 'кот')).stdout) as number[][])[0]!;
    const { tokens, counts } = await runJson<Texts>(
      'continue',
      '--text',
      'кот',
      '--allowed',
      '17, 186',
      '--count',
      '4',
    );
    expect(sum(counts)).toBe(4);
    for (const ids of tokens) {
      expect(ids.slice(0, template.length)).toEqual(template);
      expect(ids.slice(template.length).filter((id) => id !== 17 && id !== 186)).toEqual([]);
    }
    expect(tokens.some((ids) => ids.length > template.length)).toBe(true);
  });
});

describe('rankings and perplexity', () => {
  it('rank-images: upstream’s perplexities, for people the best first', async () => {
    const expected = cases.rank_images_by_text!;
    const args = ['--text', expected.text, '--codebooks', codebooks];
    const result = await runJson<Ranks & { order: number[] }>('rank-images', ...args);
    const ids = JSON.parse((await run('tokenize', '--json', expected.text)).stdout) as number[][];
    expect(result).toMatchObject({ text: expected.text, tokens: ids, codebooks: ranked });
    expectRelative(result.ppl_txt, expected.ppl_txt, PERPLEXITY);
    expectRelative(result.ppl_img, expected.ppl_img, PERPLEXITY);
    expect(result.order).toEqual([3, 0, 4, 1, 2]); // of upstream's scores
    expect(result.order.map((index) => result.scores[index])).toEqual(ascending(result.scores));
    const lines = (await run('rank-images', ...args)).stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.split('  ')[0])).toEqual(result.order.map((index) => `${codebooks} [${index}]`));
  });

  it('rank-images takes several files', async () => {
    const files = [0, 1, 2].map((number) => `${FOLDER}/image${number}.png`);
    const { stdout } = await run('rank-images', '--text', 'кот', ...files.flatMap((file) => ['--image', file]));
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.split('  ')[0]!).sort()).toEqual(files);
  });

  it('rank-texts: upstream’s perplexities and scores, divided by counts', async () => {
    const expected = cases.rank_texts_by_image!;
    const args = ['--image', `${FOLDER}/${expected.image}`, ...expected.texts.flatMap((text) => ['--text', text])];
    const result = await runJson<Ranks & { texts: string[]; order: number[] }>('rank-texts', ...args);
    const ids = JSON.parse((await run('tokenize', '--json', ...expected.texts)).stdout) as number[][];
    expect(result).toMatchObject({ texts: expected.texts, tokens: ids, order: [0, 1, 2] });
    expectRelative(result.ppl_txt, expected.ppl_txt, PERPLEXITY);
    expectRelative(result.ppl_img, expected.ppl_img, PERPLEXITY);
    const counted = await runJson<Ranks & { order: number[] }>('rank-texts', ...args, '--counts', '1,1,10');
    expect(counted.scores[2]).toBeCloseTo(result.scores[2]! / 10, 4);
    expect(counted.order).toEqual([0, 2, 1]);
  });

  it('perplexity: of the same sequences, part by part', async () => {
    const images = cases.rank_images_by_text!;
    const picture = json('picture.json', ranked[2]);
    type Parts = Record<'ppl_left' | 'ppl_img' | 'ppl_right', number | null>;
    const behind = await runJson<Parts>('perplexity', '--codebook', picture, '--right', images.text);
    const ids = JSON.parse((await run('tokenize', '--json', images.text)).stdout) as number[][];
    expect(behind).toMatchObject({ ppl_left: null, tokens_left: null, tokens_right: ids[0], codebook: ranked[2] });
    expectRelative([behind.ppl_img!, behind.ppl_right!], [images.ppl_img[2]!, images.ppl_txt[2]!], PERPLEXITY);
    const texts = cases.rank_texts_by_image!;
    const before = await run('perplexity', '--left', texts.texts[1]!, '--image', `${FOLDER}/${texts.image}`);
    const [left, image, ...rest] = before.stdout.trimEnd().split('\n');
    expect(rest).toEqual([]);
    expect(left).toMatch(/^left text {3}[\d.e+]+$/);
    expect(image).toMatch(/^picture {5}[\d.e+]+$/);
    const numbers = [left!, image!].map((line) => Number(line.split(/ {2,}/)[1]));
    expectRelative(numbers, [texts.ppl_txt[1]!, texts.ppl_img[1]!], PERPLEXITY);
  });
});
