import { checkSampling } from '../model/sampler';
import { imageTokens } from './pictures';
import { CAPTION_TEMPLATE, leftPrompt, taskToken } from './prompts';
import { rankTexts } from './rank';
import { TEXT_SAMPLING } from './sampling';
import { best, checkKeep, checkWeight } from './scores';
import type { LoadedModel } from './loadedModel';
import type { CaptionOptions, CaptionResult, PictureTokens, TaskContext, TextEvent } from './types';
import { writeTexts } from './writing';

/**
 * Describes a picture (upstream's `generate_captions`): left text `I2T` without words, the picture, then the right text
 * begins with the template and is continued; drafts that end alike are counted, and ranked with `keep` (`image_captioning`).
 * @throws RudolphError `bad-input` for a template that fills the right text or options out of range; `unsupported` without an image encoder.
 */
export async function caption(
  model: LoadedModel,
  picture: PictureTokens,
  options: CaptionOptions,
  context: TaskContext<TextEvent>,
): Promise<CaptionResult> {
  const { config } = model.manifest;
  const { keep, rankingWeight } = options;
  checkSampling(options);
  checkKeep(keep, options.count);
  checkWeight(rankingWeight);
  const rightToken = taskToken(model, options.rightSpecialToken, 'RT_I2T', context);
  const template = model.openPrompt('right', options.template ?? CAPTION_TEMPLATE, rightToken);
  const leftToken = taskToken(model, options.leftSpecialToken, 'LT_I2T', context);
  const left = leftPrompt(model, options.instruction ?? '', leftToken, context);
  const [tokens] = await imageTokens(model, [picture], context);
  const drafts = await writeTexts(
    model,
    {
      prefix: [...left, ...tokens!, ...template.ids],
      templateIds: template.textIds,
      end: config.leftLength + config.imageSide ** 2 + config.rightLength,
      classes: config.textVocabulary - config.leftLength,
      endFrom: model.bpeVocabulary,
      defaults: TEXT_SAMPLING,
      options,
    },
    context,
  );
  if (keep === undefined) return drafts;
  const ranked = await rankTexts(
    model,
    tokens!,
    drafts.texts,
    { counts: drafts.counts, ...(rankingWeight === undefined ? {} : { weight: rankingWeight }) },
    context,
  );
  const { chosen, ranking } = best(ranked, keep);
  return {
    texts: chosen.map((k) => drafts.texts[k]!),
    counts: chosen.map((k) => drafts.counts[k]!),
    tokens: chosen.map((k) => drafts.tokens[k]!),
    seed: drafts.seed,
    ranking,
  };
}
