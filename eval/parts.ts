import type { RgbaImage } from '../src/image/image';
import { toRgba } from '../src/image/planar';
import { preprocess } from '../src/image/preprocess';
import type { Engine } from '../src/tasks/engine';
import { judgeCaption, plainText } from './captions';
import { judgeDrawing } from './matcher';
import type { Outcome } from './report';
import { compose, layoutOf, randomNumbers, type HeldOut, type Layout, type Question, type Sum } from './scene';
import type { World } from './world';

/** What every part works with. */
export interface Bench {
  readonly engine: Engine;
  readonly world: World;
  readonly signal: AbortSignal;
  /** How many pictures are drawn of a scene with one sprite or two, to rank them. */
  readonly candidates: number;
  /** Added to the number of a scene, as the seed of its drawings. */
  readonly seed: number;
  /** Takes the picture that counts: the best ranked, or the only one. */
  readonly onDrawn?: (scene: number, image: RgbaImage) => Promise<void>;
}

/** A held-out scene with its picture's tokens, which are computed once for all parts. */
export interface Subject {
  readonly scene: HeldOut['scenes'][number];
  /** In heldout.json. */
  readonly number: number;
  readonly codes: () => Promise<readonly number[]>;
}

type Found = Omit<Outcome, 'part' | 'entry'>;

/** How the layouts are called in the table. */
const LAYOUT_NAMES: Readonly<Record<Layout, string>> = {
  single: 'one sprite',
  pair: 'two sprites',
  count: 'counts',
  row: 'rows',
  text: 'writing',
};
const GREEDY = { topK: 1, seed: 0 } as const;
const CLASSES = 10;

/** Parts of the evaluation about scenes. Those that do not concern a scene find nothing. */
export const SCENE_PARTS: Readonly<Record<string, (bench: Bench, subject: Subject) => Promise<readonly Found[]>>> = {
  tokenizer: async (bench, subject) => [await tokenize(bench, subject)],
  caption: async (bench, subject) => [await describe(bench, subject)],
  question: askPicture,
  reading: async (bench, subject) => (subject.scene.text ? [await read(bench, subject)] : []),
  classes: async (bench, subject) => (layoutOf(subject.scene) === 'single' ? [await classify(bench, subject)] : []),
  draw: async (bench, subject) => [await draw(bench, subject)],
};

export function openSubject({ engine, world, signal }: Bench, scene: Subject['scene'], number: number): Subject {
  let codes: Promise<readonly number[]> | undefined;
  const encode = async (): Promise<readonly number[]> => {
    const encoder = await engine.model.encoder(signal);
    const { indices } = await encoder.encode(preprocess(compose(world, scene), world.description.side), { signal });
    return Array.from(indices);
  };
  return { scene, number, codes: () => (codes ??= encode()) };
}

/** The composed picture through the image tokenizer and back; the matcher's verdict on it bounds what drawings can reach. */
async function tokenize({ engine, world, signal }: Bench, { scene, codes }: Subject): Promise<Found> {
  const decoded = toRgba(await engine.model.decodeImage(await codes(), { signal }));
  const verdict = judgeDrawing(world, decoded, scene);
  return {
    values: {
      'image tokenizer, PSNR': psnr(compose(world, scene), decoded),
      'image tokenizer, picture recognised': Number(verdict.all),
    },
    ...(verdict.all ? {} : { details: verdict }),
  };
}

async function describe({ engine, world, signal }: Bench, { scene, codes }: Subject): Promise<Found> {
  const { texts } = await engine.caption(await codes(), GREEDY, { signal });
  const verdict = judgeCaption(world, texts[0]!, scene);
  const { sprites, position, background } = verdict;
  return {
    values: {
      [`caption, ${LAYOUT_NAMES[layoutOf(scene)]}`]: Number(verdict.whole),
      'caption, sprites named': Number(sprites),
      'caption, position told': Number(position === true),
      'caption, background told': Number(background === true),
      'caption, nothing wrong': Number(verdict.true),
    },
    expected: scene.caption,
    answered: texts[0]!,
  };
}

async function askPicture({ engine, signal }: Bench, { scene, codes }: Subject): Promise<Found[]> {
  const found: Found[] = [];
  for (const question of scene.questions) {
    const { texts } = await engine.answer(question.question, await codes(), GREEDY, { signal });
    found.push(answered(`question, ${question.topic}`, question, texts[0]!));
  }
  return found;
}

async function read({ engine, signal }: Bench, { scene, codes }: Subject): Promise<Found> {
  const { texts } = await engine.readText(await codes(), GREEDY, { signal });
  const [expected, actual] = [plainText(scene.text!), plainText(texts[0]!)];
  const distance = editDistance(expected, actual) / Math.max(expected.length, actual.length);
  return {
    values: { 'reading, 1 − edit distance': 1 - distance, 'reading, exact': Number(distance === 0) },
    expected: scene.text!,
    answered: texts[0]!,
  };
}

/** The sprite's everyday name among those of nine other kinds. */
async function classify({ engine, world, signal }: Bench, { scene, number, codes }: Subject): Promise<Found> {
  const random = randomNumbers(number);
  const kinds = new Set([world.kindOf(scene.sprites[0]!.id)]);
  while (kinds.size < CLASSES) kinds.add(Math.floor(random() * world.kinds.length));
  const names = [...kinds].map((kind) => world.kinds[kind]!.names.at(-1)!.nominative);
  const result = await engine.classify(await codes(), names, {}, { signal });
  return {
    values: { 'zero-shot, 10 classes': Number(result.label === 0) },
    asked: names.join(', '),
    expected: names[0]!,
    answered: result.class,
  };
}

/**
 * Drawings with the default sampling. Of one sprite or two some candidates, of which the first is judged, and the one that
 * the model itself ranks best, exactly as `textToImage` with `keep: 1` does: one run serves both.
 */
async function draw(bench: Bench, { scene, number }: Subject): Promise<Found> {
  const { engine, world, signal, candidates, onDrawn } = bench;
  const layout = layoutOf(scene);
  const seed = bench.seed + number;
  const count = layout === 'single' || layout === 'pair' ? candidates : 1;
  const { images, codebooks } = await engine.textToImage(scene.caption, { seed, count }, { signal });
  const verdicts = images.map((image) => judgeDrawing(world, image, scene));
  const values: Record<string, number> = {
    [`drawing, ${LAYOUT_NAMES[layout]}, first`]: Number(verdicts[0]!.content),
    'drawing, background, first': Number(verdicts[0]!.background),
    'drawing, all right and nothing else, first': Number(verdicts[0]!.all),
  };
  let chosen = 0;
  if (count > 1) {
    const { order } = await engine.rankImages(scene.caption, codebooks, {}, { signal });
    chosen = order[0]!;
    values[`drawing, ${LAYOUT_NAMES[layout]}, best of ${count}`] = Number(verdicts[chosen]!.content);
    values[`drawing, ${LAYOUT_NAMES[layout]}, any of ${count}`] = Number(verdicts.some(({ content }) => content));
  }
  await onDrawn?.(number, images[chosen]!);
  return { values, asked: scene.caption, details: { seed, chosen, verdicts, codebook: codebooks[chosen] } };
}

/** A question about a scene that is told in words. */
export async function askText({ engine, signal }: Bench, question: Question): Promise<Found> {
  const { texts } = await engine.answer(question.question, null, { ...GREEDY, kind: 'text' }, { signal });
  return answered('text question', question, texts[0]!);
}

/** A line of sums, continued to its next "|"; and the same fact as a question. */
export async function add({ engine, signal }: Bench, sum: Sum): Promise<Found[]> {
  const seen = sum.seen ? 'seen' : 'unseen';
  const line = (await engine.continueText(sum.begin, GREEDY, { signal })).texts[0]!;
  const equation = line.split('|')[sum.begin.split('|').length - 1] ?? '';
  const result = equation.slice(equation.indexOf('=') + 1).trim();
  const { texts } = await engine.answer(sum.question, null, { ...GREEDY, kind: 'maths' }, { signal });
  return [
    {
      values: { [`sum continued, ${seen}`]: Number(result === sum.result) },
      asked: sum.begin,
      expected: sum.result,
      answered: line,
    },
    answered(`sum asked, ${seen}`, { question: sum.question, answers: [sum.answer] }, texts[0]!),
  ];
}

function answered(measure: string, { question, answers }: Omit<Question, 'topic'>, text: string): Found {
  const right = answers.some((answer) => plainText(answer) === plainText(text));
  return { values: { [measure]: Number(right) }, asked: question, expected: answers.join(' / '), answered: text };
}

/** Of 0…255 pictures, dB. */
function psnr(a: RgbaImage, b: RgbaImage): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i]! - b.data[i]!) ** 2; // alpha is the same
  return 10 * Math.log10(255 ** 2 / (sum / ((a.data.length * 3) / 4)));
}

/** Levenshtein's. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length]!;
}
