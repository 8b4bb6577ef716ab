import { RudolphError } from '../../src/errors';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { print, printJson } from '../support/output';
import { PICTURE_USAGE, PICTURE_VALUES, pictureOf } from '../support/picture';
import { perplexityText } from '../support/ranking';
import { SPECIAL_TOKEN_USAGE, SPECIAL_TOKEN_VALUES, specialTokensOf } from '../support/specialTokens';
import { runTask } from '../support/task';

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
  --json              print {"ppl_left": …, "ppl_img": …, "ppl_right": …}, null for a part that was not given`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...PICTURE_VALUES, ...SPECIAL_TOKEN_VALUES, 'left', 'right'],
      flags: ['json'],
    });
    const request = given(specialTokensOf(options));
    const input = given({
      left: options.string('left'),
      image: (await pictureOf(options)) ?? undefined,
      right: options.string('right'),
    });
    if (Object.keys(input).length === 0) {
      throw new RudolphError('bad-input', 'give at least one of --left, --image (or --codebook) and --right');
    }
    if (input.right !== undefined && input.image === undefined)
      throw new RudolphError('bad-input', '--image is missing: right text needs a picture before it');
    const { left, image, right } = await runTask(options, signal, (engine, context) =>
      engine.perplexity(input, request, context),
    );
    if (options.flag('json')) return printJson({ ppl_left: left, ppl_img: image, ppl_right: right });
    for (const [name, value] of [
      ['left text', left],
      ['picture', image],
      ['right text', right],
    ] as const) {
      if (value !== null) print(`${name.padEnd(10)}  ${perplexityText(value)}`);
    }
  },
};
