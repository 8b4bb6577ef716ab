import { RudolphError } from '../errors';
import type { LoadedModel } from './loadedModel';
import { imageTokens } from './pictures';
import { checkText, leftPrompt, rightPrompt, taskToken } from './prompts';
import { checkWeight, IMAGE_RANKING_WEIGHT, rank, TEXT_RANKING_WEIGHT } from './scores';
import { scoreStreams } from './scoring';
import type { PictureTokens, RankOptions, RankResult, RankTextsOptions, ScoreEvent, TaskContext } from './types';

/**
 * Ranks pictures by how well they fit a text (upstream's `self_reranking_by_text`): left text `I2T` without words, each
 * picture, the text at the right; scored by the text's perplexity, and a little by the picture's own.
 * @throws RudolphError `bad-input` for no pictures, or options out of range; `unsupported` without an image encoder.
 */
export async function rankImages(
  model: LoadedModel,
  text: string,
  pictures: readonly PictureTokens[],
  options: RankOptions,
  context: TaskContext<ScoreEvent>,
): Promise<RankResult> {
  checkText('the text', text);
  checkList('pictures', pictures);
  checkWeight(options.weight);
  const left = leftPrompt(model, '', taskToken(model, options.leftSpecialToken, 'LT_I2T', context), context);
  const rightToken = taskToken(model, options.rightSpecialToken, 'RT_I2T', context);
  const right = rightPrompt(model, text, rightToken, context);
  const codebooks = await imageTokens(model, pictures, context);
  const { image, right: texts } = await scoreStreams(
    model,
    {
      prefixes: [left],
      tails: codebooks.map((codes) => ({ prefix: 0, ids: [...codes, ...right] })),
      streams: ['image', 'right'],
    },
    context,
  );
  return { ...rank(texts!, image!, options.weight ?? IMAGE_RANKING_WEIGHT), tokens: [model.textIds(right)] };
}

/**
 * Ranks texts by how well they fit a picture (upstream's `self_reranking_by_image`): each text at the left, as if the
 * picture were drawn from it; scored by the picture's perplexity, and a little by the text's own.
 * @throws RudolphError `bad-input` for no texts, or options out of range; `unsupported` without an image encoder.
 */
export async function rankTexts(
  model: LoadedModel,
  picture: PictureTokens,
  texts: readonly string[],
  options: RankTextsOptions,
  context: TaskContext<ScoreEvent>,
): Promise<RankResult> {
  checkList('texts', texts);
  texts.forEach((text, k) => checkText(`text ${k + 1}`, text));
  checkWeight(options.weight);
  const { counts } = options;
  if (counts && (counts.length !== texts.length || !counts.every((count) => count > 0)))
    throw new RudolphError('bad-input', `counts must hold a number above 0 for each of the ${texts.length} texts`);
  const special = taskToken(model, options.leftSpecialToken, 'LT_T2I', context);
  const lefts = texts.map((text) => leftPrompt(model, text, special, context));
  const [codes] = await imageTokens(model, [picture], context);
  const { left, image } = await scoreStreams(
    model,
    {
      prefixes: lefts.map((ids) => [...ids, ...codes!]),
      tails: [],
      streams: ['left', 'image'],
    },
    context,
  );
  return {
    ...rank(left!, image!, options.weight ?? TEXT_RANKING_WEIGHT, counts),
    tokens: lefts.map((ids) => model.textIds(ids)),
  };
}

function checkList(what: string, list: unknown): void {
  if (!Array.isArray(list) || list.length === 0)
    throw new RudolphError('bad-input', `there are no ${what} to rank: expected a list of one or more`);
}
