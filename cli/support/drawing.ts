import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../../src/tasks/engine';
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
export const DRAWING_USAGE = `  --text T            what to draw, in Russian
  --template T        text around it, with {} in its place, e.g. "рисунок: {}" (default: none)
  --out DIR           where to save the pictures (default: the current folder)
  --special-token S   the left special token (default: LT_T2I; none: no token)
${SAMPLING_USAGE('768', '0.99', '1')}
  --guidance W        share of the empty prompt's probabilities that is mixed in, 0 to 1 (default: 0; upstream's
                      "cfg" has 0.2)
${KEEP_USAGE('pictures', '0.95')}
  --decoder D         plain, or dwt, whose pictures are twice as wide and high, where the model has it
                      (default: plain where the model has it)
  --json              print {"codebooks": [[…]], "files": […], "seed": …}, with --keep also "scores", "ppl_txt" and
                      "ppl_img", one a picture, the lowest score first`;

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

/** Runs a task that draws, saves its pictures as `<name>-<seed>-<number>.png` in --out and prints them. */
export async function draw(
  options: Options,
  signal: AbortSignal,
  name: string,
  task: (engine: Engine, context: CliContext) => Promise<TextToImageResult>,
): Promise<void> {
  const out = options.string('out') ?? '.';
  const { images, codebooks, seed, ranking } = await runTask(options, signal, async (engine, context) => {
    await mkdir(out, { recursive: true }); // first: drawing may take long, and would be lost
    return task(engine, context);
  });
  const files = images.map((_, index) => join(out, `${name}-${seed}-${index}.png`));
  for (const [index, image] of images.entries()) await writePng(files[index]!, image);
  if (options.flag('json')) printJson({ codebooks, files, ...(ranking ? rankingJson(ranking) : {}), seed });
  else files.forEach((file, index) => print(ranking ? `${file}  ${rankingLine(ranking, index)}` : file));
}
