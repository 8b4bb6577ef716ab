import { RudolphError } from '../../src/errors';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { PICTURE_USAGE, PICTURE_VALUES, pictureOf } from '../support/picture';
import { SAMPLING_USAGE, SAMPLING_VALUES, samplingOf } from '../support/sampling';
import { SPECIAL_TOKEN_USAGE, SPECIAL_TOKEN_VALUES, specialTokensOf } from '../support/specialTokens';
import { runPictureTask } from '../support/task';
import { printTexts } from '../support/texts';

export const command: Command = {
  name: 'answer',
  summary: 'answers to a question about a picture, a text or a sum',
  usage: `Usage: rudolph-web answer --model DIR --question Q [--image F] [--kind visual|text|maths] [--count N] [--json]

Answers a Russian question: N drafts, the different ones with how often each came. The text that a question is about
stands before the question itself.

${ENGINE_USAGE}
  --question Q        the question, in Russian
${PICTURE_USAGE}
                      (neither for questions about texts and sums)
  --kind K            visual, text or maths (default: visual with a picture, else text)
  --instruction T     what stands before the question (default: as the 2.7B_fbc2 model was trained, "ответь на вопрос по
                      картинке." for visual, "определи правильный ответ по тексту." for text, nothing for maths)
${SPECIAL_TOKEN_USAGE('by kind: LT_VQA and RT_VQA, LT_TQA and RT_TQA, LT_MQA and RT_MQA')}
${SAMPLING_USAGE('32', '0.8', '1')}
  --json              print {"texts": […], "counts": […], "tokens": [[…]], "ppl_txt": […], "codebook": […] or null,
                      "seed": …}`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [
        ...ENGINE_VALUES,
        ...PICTURE_VALUES,
        ...SAMPLING_VALUES,
        ...SPECIAL_TOKEN_VALUES,
        'question',
        'kind',
        'instruction',
      ],
      flags: ['json'],
    });
    const question = options.required('question', 'the question, in Russian');
    const kind = options.choice('kind', ['visual', 'text', 'maths']);
    const request = {
      ...samplingOf(options),
      ...given({ ...specialTokensOf(options), kind, instruction: options.string('instruction') }),
      perplexities: options.flag('json'),
    };
    const picture = await pictureOf(options);
    if (kind === 'visual' && picture === null)
      throw new RudolphError('bad-input', '--image is missing: the picture that the question is about');
    if (kind !== undefined && kind !== 'visual' && picture !== null)
      throw new RudolphError('bad-input', `a ${kind} question takes no picture: leave out --kind or the picture`);
    const { result, codebook } = await runPictureTask(options, signal, picture, (engine, codes, context) =>
      engine.answer(question, codes, request, context),
    );
    printTexts(options, result, { ppl_txt: result.textPerplexities, codebook });
  },
};
