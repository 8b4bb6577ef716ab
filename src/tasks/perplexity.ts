import { RudolphError } from '../errors';
import type { Stream } from '../model/score';
import type { LoadedModel } from './loadedModel';
import { imageTokens } from './pictures';
import { checkText, leftPrompt, rightPrompt, taskToken } from './prompts';
import { scoreStreams } from './scoring';
import type { PerplexityInput, PerplexityOptions, PerplexityResult, ScoreEvent, TaskContext } from './types';

/**
 * How surprising a sequence is, stream by stream (the `ppl_txt` and `ppl_img` of upstream's functions). Left text carries the token
 * of what follows it: T2I before a picture, I2T where it is empty, T2T where it stands alone.
 * @throws RudolphError `bad-input` for nothing to score, or right text without a picture.
 */
export async function perplexity(
  model: LoadedModel,
  input: PerplexityInput,
  options: PerplexityOptions,
  context: TaskContext<ScoreEvent>,
): Promise<PerplexityResult> {
  const { left, image, right } = input ?? {};
  for (const [name, text] of Object.entries({ left, right }))
    if (text !== undefined) checkText(`the ${name} text`, text);
  if (right !== undefined && image === undefined)
    throw new RudolphError('bad-input', 'right text needs a picture before it');
  if (left === undefined && image === undefined)
    throw new RudolphError('bad-input', 'there is nothing to score: give left text or a picture');
  const usual = image === undefined ? 'LT_T2T' : left === undefined ? 'LT_I2T' : 'LT_T2I';
  const leftToken = taskToken(model, options.leftSpecialToken, usual, context);
  const leftIds = leftPrompt(model, left ?? '', leftToken, context);
  const ids = [...leftIds];
  let rightIds: readonly number[] | null = null;
  const streams: Stream[] = left === undefined ? [] : ['left'];
  if (image !== undefined) {
    const [codes] = await imageTokens(model, [image], context);
    ids.push(...codes!);
    streams.push('image');
  }
  if (right !== undefined) {
    const rightToken = taskToken(model, options.rightSpecialToken, 'RT_I2T', context);
    rightIds = rightPrompt(model, right, rightToken, context);
    ids.push(...rightIds);
    streams.push('right');
  }
  const found = await scoreStreams(
    model,
    {
      prefixes: [ids],
      tails: [],
      streams,
    },
    context,
  );
  return {
    left: found.left?.[0] ?? null,
    image: found.image?.[0] ?? null,
    right: found.right?.[0] ?? null,
    tokens: {
      left: left === undefined ? null : model.textIds(leftIds),
      right: rightIds && model.textIds(rightIds),
    },
  };
}
