import { RudolphError } from '../../src/errors';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { print, printJson } from '../support/output';
import { PICTURE_USAGE, PICTURE_VALUES, requiredPicture } from '../support/picture';
import { rankingJson, rankingLine } from '../support/ranking';
import { specialTokenOf } from '../support/specialTokens';
import { runPictureTask } from '../support/task';

export const command: Command = {
  name: 'rank-texts',
  summary: 'texts by how well they fit a picture',
  usage: `Usage: rudolph-web rank-texts --model DIR --image F --text T [--text T …] [--counts N,N,…] [--json]

Ranks texts by a picture, the best first.

${ENGINE_USAGE}
${PICTURE_USAGE}
  --text T            a text, in Russian; once for each
  --counts N,N,…      how often each text was drafted: its score is divided by that (default: once each)
  --weight W          the text's weight in the scores, 0 to 1 (default: 0.05)
  --left-special-token S
                      of the texts, by upstream's name; none: no token (default: LT_T2I)
  --json              print {"texts": […], "tokens": [[…]], "order": […], "scores": […], "ppl_txt": […],
                      "ppl_img": […], "codebook": […]}: order holds indices from 0, the best first; the others are in
                      the order of the texts; the lowest score is the best`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...PICTURE_VALUES, 'counts', 'weight', 'left-special-token'],
      lists: ['text'],
      flags: ['json'],
    });
    const texts = options.someOf('text', 'a text to rank; give one for each');
    const counts = options.integers('counts', { min: 1 });
    if (counts && counts.length !== texts.length)
      throw new RudolphError('bad-input', `--counts has ${counts.length} numbers for ${texts.length} texts`);
    const request = given({
      counts,
      weight: options.number('weight', { min: 0, max: 1 }),
      leftSpecialToken: specialTokenOf(options, 'left-special-token'),
    });
    const picture = await requiredPicture(options, 'the picture to rank by');
    const { result, codebook } = await runPictureTask(options, signal, picture, (engine, codes, context) =>
      engine.rankTexts(codes, texts, request, context),
    );
    const { order, tokens } = result;
    if (options.flag('json')) printJson({ texts, tokens, order, ...rankingJson(result), codebook });
    else for (const index of order) print(`${texts[index]}  ${rankingLine(result, index)}`);
  },
};
