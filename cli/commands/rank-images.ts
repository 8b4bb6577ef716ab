import { RudolphError } from '../../src/errors';
import { imageTokens } from '../../src/tasks/pictures';
import type { PictureTokens } from '../../src/tasks/types';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { readImage } from '../support/images';
import { readImageTokens } from '../support/imageTokens';
import { given, Options } from '../support/options';
import { print, printJson } from '../support/output';
import { rankingJson, rankingLine } from '../support/ranking';
import { SPECIAL_TOKEN_USAGE, SPECIAL_TOKEN_VALUES, specialTokensOf } from '../support/specialTokens';
import { runTask } from '../support/task';

export const command: Command = {
  name: 'rank-images',
  summary: 'pictures by how well they fit a text',
  usage: `Usage: rudolph-web rank-images --model DIR --text T (--image F [--image F …] | --codebooks F.json) [--json]

Ranks pictures by a text, the best first.

${ENGINE_USAGE}
  --text T            the text, in Russian
  --image F           PNG, JPEG or WebP, once for each picture; centre squares are used, turned as their EXIF data say
  --codebooks F       instead of --image: JSON with an array of each picture's tokens, e.g. what draw --json prints
  --weight W          the text's weight in the scores, 0 to 1 (default: 0.95)
${SPECIAL_TOKEN_USAGE('LT_I2T and RT_I2T')}
  --json              print {"text": …, "tokens": [[…]], "order": […], "scores": […], "ppl_txt": […], "ppl_img": […],
                      "codebooks": [[…]]}: order holds indices from 0, the best first; the others are in the order of
                      the pictures; the lowest score is the best`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...SPECIAL_TOKEN_VALUES, 'text', 'codebooks', 'weight'],
      lists: ['image'],
      flags: ['json'],
    });
    const text = options.text('text', 'the text to rank by');
    const request = given({ ...specialTokensOf(options), weight: options.number('weight', { min: 0, max: 1 }) });
    const { pictures, names } = await picturesOf(options);
    const { result, codebooks } = await runTask(options, signal, async (engine, context) => {
      const codebooks = await imageTokens(engine.model, pictures, context);
      return { codebooks, result: await engine.rankImages(text, codebooks, request, context) };
    });
    const { order, tokens } = result;
    if (options.flag('json')) printJson({ text, tokens, order, ...rankingJson(result), codebooks });
    else for (const index of order) print(`${names[index]}  ${rankingLine(result, index)}`);
  },
};

/** Reads every --image, or --codebooks. */
async function picturesOf(options: Options): Promise<{ pictures: PictureTokens[]; names: string[] }> {
  const files = options.all('image');
  const codebooks = options.string('codebooks');
  if (files.length > 0 === (codebooks !== undefined)) {
    throw new RudolphError(
      'bad-input',
      'give the pictures to rank either by --image, once for each, or by --codebooks F.json',
    );
  }
  if (codebooks !== undefined) {
    const pictures = [...(await readImageTokens(codebooks)).codebooks];
    return { pictures, names: pictures.map((_, index) => `${codebooks} [${index}]`) };
  }
  const pictures: PictureTokens[] = [];
  for (const file of files) pictures.push(await readImage(file));
  return { pictures, names: [...files] };
}
