import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { PICTURE_USAGE, PICTURE_VALUES, requiredPicture } from '../support/picture';
import { SAMPLING_USAGE, SAMPLING_VALUES, samplingOf } from '../support/sampling';
import { SPECIAL_TOKEN_USAGE, SPECIAL_TOKEN_VALUES, specialTokensOf } from '../support/specialTokens';
import { runPictureTask } from '../support/task';
import { printTexts } from '../support/texts';

export const command: Command = {
  name: 'read',
  summary: 'the text that is written in a picture',
  usage: `Usage: rudolph-web read --model DIR --image F [--count N] [--json]

Reads the text in a picture: N drafts, the different ones with how often each came.

${ENGINE_USAGE}
${PICTURE_USAGE}
  --instruction T     the left text (default: "распознай текст на картинке.", as the 2.7B_fbc2 model was trained)
${SPECIAL_TOKEN_USAGE('LT_REC and RT_REC')}
${SAMPLING_USAGE('32', '0.8', '1')}
  --json              print {"texts": […], "counts": […], "tokens": [[…]], "ppl_txt": […], "codebook": […],
                      "seed": …}`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...PICTURE_VALUES, ...SAMPLING_VALUES, ...SPECIAL_TOKEN_VALUES, 'instruction'],
      flags: ['json'],
    });
    const request = {
      ...samplingOf(options),
      ...given({ ...specialTokensOf(options), instruction: options.string('instruction') }),
      perplexities: options.flag('json'),
    };
    const picture = await requiredPicture(options, 'the picture to read');
    const { result, codebook } = await runPictureTask(options, signal, picture, (engine, codes, context) =>
      engine.readText(codes, request, context),
    );
    printTexts(options, result, { ppl_txt: result.textPerplexities, codebook });
  },
};
