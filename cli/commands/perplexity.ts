import { RudolphError } from '../../src/errors';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { print, printJson } from '../support/output';
import { PICTURE_USAGE, PICTURE_VALUES, pictureOf } from '../support/picture';
import { perplexityText } from '../support/ranking';
import { SPECIAL_TOKEN_USAGE, SPECIAL_TOKEN_VALUES, specialTokensOf } from '../support/specialTokens';
import { runPictureTask } from '../support/task';

export const command: Command = {
  name: 'perplexity',
  summary: 'how surprising texts and a picture are to the model',
  usage: `Usage: rudolph-web perplexity --model DIR [--left T] [--image F | --codebook F.json] [--right T] [--json]

Computes the perplexity of each given part of a sequence of left text, picture and right text, each part behind those
before it: exp(cross-entropy), averaged over the part's tokens; the lower, the likelier. A missing left text is empty.

${ENGINE_USAGE}
  --left T            the left text, in Russian
${PICTURE_USAGE}
  --right T           the right text, in Russian; only behind a picture
${SPECIAL_TOKEN_USAGE('LT_T2I before a picture, LT_T2T without one, LT_I2T where --left is missing; RT_I2T')}
  --json              print {"ppl_left": …, "ppl_img": …, "ppl_right": …, "tokens_left": […], "tokens_right": […],
                      "codebook": […]}, null for a part that was not given`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...PICTURE_VALUES, ...SPECIAL_TOKEN_VALUES, 'left', 'right'],
      flags: ['json'],
    });
    const request = given(specialTokensOf(options));
    const texts = given({ left: options.string('left'), right: options.string('right') });
    const picture = await pictureOf(options);
    if (Object.keys(texts).length === 0 && picture === null) {
      throw new RudolphError('bad-input', 'give at least one of --left, --image (or --codebook) and --right');
    }
    if (texts.right !== undefined && picture === null)
      throw new RudolphError('bad-input', '--image is missing: right text needs a picture before it');
    const { result, codebook } = await runPictureTask(options, signal, picture, (engine, codes, context) =>
      engine.perplexity({ ...texts, ...(codes ? { image: codes } : {}) }, request, context),
    );
    const { left, image, right, tokens } = result;
    if (options.flag('json')) {
      return printJson({
        ppl_left: left,
        ppl_img: image,
        ppl_right: right,
        tokens_left: tokens.left,
        tokens_right: tokens.right,
        codebook,
      });
    }
    for (const [name, value] of [
      ['left text', left],
      ['picture', image],
      ['right text', right],
    ] as const) {
      if (value !== null) print(`${name.padEnd(10)}  ${perplexityText(value)}`);
    }
  },
};
