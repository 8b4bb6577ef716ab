import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TextToImageOptions } from '../../src/tasks/types';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES, withEngine } from '../support/engine';
import { writePng } from '../support/images';
import { Options } from '../support/options';
import { print, printJson, status } from '../support/output';
import { SAMPLING_USAGE, SAMPLING_VALUES, samplingOf, specialTokenOf } from '../support/sampling';

export const command: Command = {
  name: 'draw',
  summary: 'pictures from a Russian text',
  usage: `Usage: rudolph-web draw --model DIR --text T [--out DIR] [--json]

Draws pictures and saves them as PNG.

${ENGINE_USAGE}
  --text T            what to draw, in Russian
  --out DIR           where to save the pictures (default: the current folder)
  --special-token S   the left special token (default: LT_T2I; none: no token)
${SAMPLING_USAGE('768', '0.99', '1')}
  --json              print {"codebooks": [[…]], "files": […], "seed": …}`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...SAMPLING_VALUES, 'text', 'out', 'special-token'],
      flags: ['json'],
    });
    const text = options.required('text', 'what to draw, in Russian');
    const out = options.string('out') ?? '.';
    const specialToken = specialTokenOf(options, 'special-token');
    const request: TextToImageOptions = {
      ...samplingOf(options),
      ...(specialToken === undefined ? {} : { specialToken }),
    };
    const result = await withEngine(options, signal, (engine) =>
      engine.textToImage(text, request, {
        signal,
        onEvent: (event) => {
          if (event.type === 'progress') status(`${event.stage}: ${Math.floor((100 * event.done) / event.total)} %`);
          if (event.type === 'notice') status(`note: ${event.message}`, { done: true });
        },
      }),
    );
    await mkdir(out, { recursive: true });
    const files = result.images.map((_, candidate) => join(out, `rudolph-${result.seed}-${candidate}.png`));
    for (const [candidate, image] of result.images.entries()) await writePng(files[candidate]!, image);
    if (options.flag('json')) printJson({ codebooks: result.codebooks, files, seed: result.seed });
    else for (const file of files) print(file);
  },
};
