import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { PICTURE_USAGE, PICTURE_VALUES, requiredPicture } from '../support/picture';
import { KEEP_USAGE, KEEP_VALUES, keepOf, rankingJson, rankingLine } from '../support/ranking';
import { SAMPLING_USAGE, SAMPLING_VALUES, samplingOf } from '../support/sampling';
import { SPECIAL_TOKEN_USAGE, SPECIAL_TOKEN_VALUES, specialTokensOf } from '../support/specialTokens';
import { runPictureTask } from '../support/task';
import { printTexts } from '../support/texts';

export const command: Command = {
  name: 'caption',
  summary: 'Russian captions of a picture',
  usage: `Usage: rudolph-web caption --model DIR --image F [--count N [--keep K]] [--json]

Describes a picture: N drafts, the different ones with how often each came.

${ENGINE_USAGE}
${PICTURE_USAGE}
  --template T        how captions begin (default: "на картинке")
  --instruction T     the left text (default: empty; the 2.7B_fbc2 model was trained with "опиши изображение.")
${SPECIAL_TOKEN_USAGE('LT_I2T and RT_I2T')}
${SAMPLING_USAGE('64', '0.8', '0.9')}
${KEEP_USAGE('different drafts', '0.05')}
  --json              print {"texts": […], "counts": […], "tokens": [[…]], "codebook": […], "seed": …}, with --keep
                      also "scores", "ppl_txt" and "ppl_img", one a text, the lowest score first`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [
        ...ENGINE_VALUES,
        ...PICTURE_VALUES,
        ...SAMPLING_VALUES,
        ...KEEP_VALUES,
        ...SPECIAL_TOKEN_VALUES,
        'template',
        'instruction',
      ],
      flags: ['json'],
    });
    const sampling = samplingOf(options);
    const request = {
      ...sampling,
      ...given({
        ...keepOf(options, sampling.count ?? 1),
        ...specialTokensOf(options),
        template: options.string('template'),
        instruction: options.string('instruction'),
      }),
    };
    const picture = await requiredPicture(options, 'the picture to describe');
    const { result, codebook } = await runPictureTask(options, signal, picture, (engine, codes, context) =>
      engine.caption(codes, request, context),
    );
    const { ranking } = result;
    if (ranking)
      printTexts(options, result, { ...rankingJson(ranking), codebook }, (index) => rankingLine(ranking, index));
    else printTexts(options, result, { codebook });
  },
};
