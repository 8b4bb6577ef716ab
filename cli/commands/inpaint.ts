import { RudolphError } from '../../src/errors';
import type { Manifest } from '../../src/format/manifest';
import { drawnAnew } from '../../src/tasks/inpaint';
import type { InpaintOptions } from '../../src/tasks/types';
import type { Command } from '../support/command';
import { draw, DRAWING_FLAGS, DRAWING_USAGE, DRAWING_VALUES, drawingOf } from '../support/drawing';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { readImage } from '../support/images';
import { Options } from '../support/options';
import { PICTURE_USAGE, PICTURE_VALUES, requiredPicture } from '../support/picture';

export const command: Command = {
  name: 'inpaint',
  summary: 'part of a picture drawn anew from a Russian text',
  usage: `Usage: rudolph-web inpaint --model DIR --image F (--borders U,R,D,L | --mask F.png) --text T [--out DIR] [--json]

Draws a part of a picture anew and saves the results as PNG. What is kept is kept as tokens: its pixels change a little.

${ENGINE_USAGE}
${PICTURE_USAGE}
  --borders U,R,D,L   rows and columns of tokens to keep at the upper, right, lower and left border; the rest is drawn
                      anew (a token is 8×8 pixels of the picture that the model sees)
  --mask F            instead of --borders: a picture of the same proportions, white where to draw anew, anything else
                      where to keep; a token with any white in it is drawn anew
${DRAWING_USAGE('rudolph-inpaint')}`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...PICTURE_VALUES, ...DRAWING_VALUES, 'borders', 'mask'],
      flags: DRAWING_FLAGS,
    });
    const text = options.required('text', 'what to draw, in Russian');
    const request = drawingOf(options);
    const where = await whereOf(options);
    const picture = await requiredPicture(options, 'the picture to draw in');
    const check = ({ config }: Manifest): void => void drawnAnew(config, picture, where);
    await draw(options, signal, { name: 'rudolph-inpaint', request, check }, (engine, drawing, context) =>
      engine.inpaint(picture, text, { ...drawing, ...where }, context),
    );
  },
};

/** Reads --borders or --mask. */
async function whereOf(options: Options): Promise<Pick<InpaintOptions, 'borders' | 'mask'>> {
  const borders = options.integers('borders', { min: 0, length: 4 });
  const mask = options.string('mask');
  if ((borders === undefined) === (mask === undefined)) {
    throw new RudolphError(
      'bad-input',
      'give either --borders up,right,down,left (what to keep, in tokens) or --mask F.png (white where to draw anew)',
    );
  }
  if (mask !== undefined) return { mask: await readImage(mask) };
  const [up, right, down, left] = borders as [number, number, number, number];
  return { borders: { up, right, down, left } };
}
