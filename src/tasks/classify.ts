import { RudolphError } from '../errors';
import type { LoadedModel } from './loadedModel';
import { imageTokens } from './pictures';
import { CAPTION_TEMPLATE, checkText, fillTemplate, leftPrompt, rightPrompt, taskToken } from './prompts';
import { inverseProbabilities, zeroShotScores } from './scores';
import { scoreStreams } from './scoring';
import type { ClassifyOptions, ClassifyResult, PictureTokens, ScoreEvent, TaskContext } from './types';

/**
 * Zero-shot classification (upstream's `zs_clf`): the class whose right text has the lowest perplexity behind the picture
 * wins. The picture is computed once for all classes, unless the left text differs between them: then once a class,
 * where upstream reuses the first class's.
 * @throws RudolphError `bad-input` for no classes, an empty one, or a template without `{}`; `unsupported` without an image encoder.
 */
export async function classify(
  model: LoadedModel,
  picture: PictureTokens,
  classes: readonly string[],
  options: ClassifyOptions,
  context: TaskContext<ScoreEvent>,
): Promise<ClassifyResult> {
  if (!Array.isArray(classes) || classes.length === 0)
    throw new RudolphError('bad-input', 'there are no classes: expected a list of one or more names, e.g. кот, собака');
  classes.forEach((name, k) => checkText(`class ${k + 1}`, name, 'кот'));
  const template = options.template ?? `${CAPTION_TEMPLATE} {}`;
  const leftTemplate = options.leftTemplate ?? '';
  const varied = leftTemplate.includes('{}');
  const leftToken = taskToken(model, options.leftSpecialToken, 'LT_I2T', context);
  const rightToken = taskToken(model, options.rightSpecialToken, 'RT_I2T', context);
  // With the class at the left, the right text may be the same for all.
  const rights = classes.map((name) =>
    rightPrompt(
      model,
      varied && !template.includes('{}') ? template : fillTemplate(template, name),
      rightToken,
      context,
    ),
  );
  const lefts = (varied ? classes.map((name) => fillTemplate(leftTemplate, name)) : [leftTemplate]).map((text) =>
    leftPrompt(model, text, leftToken, context),
  );
  const [codes] = await imageTokens(model, [picture], context);
  const { right } = await scoreStreams(
    model,
    {
      prefixes: lefts.map((ids) => [...ids, ...codes!]),
      tails: rights.map((ids, k) => ({ prefix: varied ? k : 0, ids })),
      streams: ['right'],
    },
    context,
  );
  const perplexities = right!;
  const label = perplexities.indexOf(Math.min(...perplexities));
  return {
    label,
    class: classes[label]!,
    scores: zeroShotScores(perplexities),
    probabilities: inverseProbabilities(perplexities),
    textPerplexities: perplexities,
    tokens: rights.map((ids) => model.textIds(ids)),
  };
}
