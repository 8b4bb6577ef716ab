import type { Command } from '../support/command';
import { draw, DRAWING_USAGE, DRAWING_VALUES, drawingOf } from '../support/drawing';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { Options } from '../support/options';

export const command: Command = {
  name: 'draw',
  summary: 'pictures from a Russian text',
  usage: `Usage: rudolph-web draw --model DIR --text T [--out DIR] [--count N [--keep K]] [--json]

Draws pictures and saves them as PNG.

${ENGINE_USAGE}
${DRAWING_USAGE}`,
  async run(args, signal) {
    const options = new Options(args, { values: [...ENGINE_VALUES, ...DRAWING_VALUES], flags: ['json'] });
    const text = options.required('text', 'what to draw, in Russian');
    const request = drawingOf(options);
    await draw(options, signal, 'rudolph', (engine, context) => engine.textToImage(text, request, context));
  },
};
