import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RudolphError } from '../../src/errors';
import type { Manifest } from '../../src/format/manifest';
import type { Engine } from '../../src/tasks/engine';
import { drawSeed } from '../../src/tasks/sampling';
import type { TextToImageOptions, TextToImageResult } from '../../src/tasks/types';
import { writePng } from './images';
import { given, type Options } from './options';
import { print, printJson } from './output';
import { KEEP_USAGE, KEEP_VALUES, keepOf, rankingJson, rankingLine } from './ranking';
import { SAMPLING_USAGE, SAMPLING_VALUES, samplingOf } from './sampling';
import { specialTokenOf } from './specialTokens';
import { type CliContext, runTask } from './task';

/** Options of the commands that draw. */
export const DRAWING_VALUES = [
  ...SAMPLING_VALUES,
  ...KEEP_VALUES,
  'text',
  'template',
  'guidance',
  'decoder',
  'special-token',
  'out',
] as const;
export const DRAWING_FLAGS = ['force', 'json'] as const;
/** `name`: what the files' names begin with. */
export const DRAWING_USAGE = (name: string): string => `  --text T            what to draw, in Russian
  --template T        text around it, with {} in its place, e.g. "рисунок: {}" (default: none)
  --out DIR           where to save the pictures, as ${name}-SEED-NUMBER.png (default: the current folder)
  --force             replace pictures that are there already
  --special-token S   the left special token (default: LT_T2I; none: no token)
${SAMPLING_USAGE('768', '0.99', '1')}
  --guidance W        share of the empty prompt's probabilities that is mixed in, 0 to 1 (default: 0; upstream's
                      "cfg" has 0.2)
${KEEP_USAGE('pictures', '0.95')}
  --decoder D         plain, or dwt, whose pictures are twice as wide and high, where the model has it
                      (default: plain where the model has it)
  --json              print {"text": …, "codebooks": [[…]], "files": […], "seed": …}, with --keep also "scores",
                      "ppl_txt" and "ppl_img", one a picture, the lowest score first`;

/** Reads the options of DRAWING_VALUES that a task takes. */
export function drawingOf(options: Options): TextToImageOptions {
  const sampling = samplingOf(options);
  return {
    ...sampling,
    ...given({
      ...keepOf(options, sampling.count ?? 1),
      specialToken: specialTokenOf(options, 'special-token'),
      template: options.template('template'),
      guidance: options.number('guidance', { min: 0, max: 1 }),
      decoder: options.choice('decoder', ['plain', 'dwt']),
    }),
  };
}

/**
 * Runs a task that draws, saves its pictures as `<name>-<seed>-<number>.png` in --out and prints them.
 * @param check see `withEngine`
 */
export async function draw(
  options: Options,
  signal: AbortSignal,
  { name, request, check }: { name: string; request: TextToImageOptions; check?: (manifest: Manifest) => void },
  task: (engine: Engine, request: TextToImageOptions, context: CliContext) => Promise<TextToImageResult>,
): Promise<void> {
  const out = options.string('out') ?? '.';
  const text = options.string('text');
  // Now, not in the task: files are named after it.
  const seed = request.seed ?? drawSeed();
  const number = request.keep ?? request.count ?? 1;
  const files = Array.from({ length: number }, (_, index) => join(out, `${name}-${seed}-${index}.png`));
  checkTargets(out, files, options.flag('force'));
  const { images, codebooks, ranking } = await runTask(
    options,
    signal,
    (engine, context) => task(engine, { ...request, seed }, context),
    async (manifest) => {
      check?.(manifest);
      await mkdir(out, { recursive: true }); // drawing may take long, and would be lost
    },
  );
  for (const [index, image] of images.entries()) await writePng(files[index]!, image);
  if (options.flag('json')) printJson({ text, codebooks, files, ...(ranking ? rankingJson(ranking) : {}), seed });
  else files.forEach((file, index) => print(ranking ? `${file}  ${rankingLine(ranking, index)}` : file));
}

/** Pictures go into a folder, and take the place of others only with --force: never by a slip. */
function checkTargets(out: string, files: readonly string[], force: boolean): void {
  if (existsSync(out) && !statSync(out).isDirectory())
    throw new RudolphError('bad-input', `${out} is no folder; choose another --out`);
  const [first, ...more] = files.filter((file) => existsSync(file));
  if (first === undefined || force) return;
  const [exist, them] = more.length === 0 ? ['exists', 'it'] : [`and ${more.length} more exist`, 'them'];
  throw new RudolphError(
    'bad-input',
    `${first} ${exist} already; --force replaces ${them}, another --seed or --out leaves ${them} alone`,
  );
}
