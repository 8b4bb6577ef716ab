import { checkAllowed } from '../../src/tasks/continueText';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { perplexityText } from '../support/ranking';
import { SAMPLING_USAGE, SAMPLING_VALUES, samplingOf } from '../support/sampling';
import { specialTokenOf } from '../support/specialTokens';
import { runTask } from '../support/task';
import { printTexts } from '../support/texts';

export const command: Command = {
  name: 'continue',
  summary: 'continuations of a Russian text',
  usage: `Usage: rudolph-web continue --model DIR --text T [--allowed IDS] [--count N] [--json]

Goes on from a text: N drafts, the different ones with how often each came.

${ENGINE_USAGE}
  --text T            the beginning, in Russian; "" for texts from nothing
  --allowed IDS       only these token ids may be drawn, e.g. 17,186,402 (rudolph-web tokenize prints ids); the end
                      always may
  --special-token S   the left special token (default: LT_T2T; none: no token)
${SAMPLING_USAGE('64', '0.8', '0.9')}
  --json              print {"texts": […], "counts": […], "tokens": [[…]], "ppl_txt": […], "seed": …}`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...SAMPLING_VALUES, 'text', 'allowed', 'special-token'],
      flags: ['json'],
    });
    const text = options.text('text', 'the beginning, in Russian');
    const request = {
      ...samplingOf(options),
      ...given({
        allowed: options.integers('allowed', { min: 0 }),
        specialToken: specialTokenOf(options, 'special-token'),
      }),
    };
    const { allowed } = request;
    const result = await runTask(
      options,
      signal,
      (engine, context) => engine.continueText(text, request, context),
      ({ config }) => checkAllowed(config, allowed),
    );
    const perplexities = result.textPerplexities;
    printTexts(
      options,
      result,
      { ppl_txt: perplexities },
      (index) => `(perplexity ${perplexityText(perplexities[index]!)})`,
    );
  },
};
