import type { Command } from '../support/command';
import { draw, DRAWING_FLAGS, DRAWING_USAGE, DRAWING_VALUES, drawingOf } from '../support/drawing';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { Options } from '../support/options';

export const command: Command = {
  name: 'draw',
  summary: 'pictures from a Russian text',
  usage: `Usage: rudolph-web draw --model DIR --text T [--out DIR] [--count N [--keep K]] [--force] [--json]

Draws pictures and saves them as PNG.

${ENGINE_USAGE}
${DRAWING_USAGE('rudolph')}`,
  async run(args, signal) {
    const options = new Options(args, { values: [...ENGINE_VALUES, ...DRAWING_VALUES], flags: DRAWING_FLAGS });
    const text = options.required('text', 'what to draw, in Russian');
    await draw(options, signal, { name: 'rudolph', request: drawingOf(options) }, (engine, request, context) =>
      engine.textToImage(text, request, context),
    );
  },
};
