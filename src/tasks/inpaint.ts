import { RudolphError } from '../errors';
import type { ModelConfig } from '../format/manifest';
import { NO_TOKEN } from '../model/sampler';
import { drawPictures } from './drawing';
import type { LoadedModel } from './loadedModel';
import { besideBorders, checkPicture, imageTokens, underMask } from './pictures';
import type { InpaintOptions, PictureTokens, TaskContext, TextToImageEvent, TextToImageResult } from './types';

/**
 * Draws part of a picture anew, or around it (upstream's `generate_codebooks` with `image_prompts`): tokens outside the mask are
 * given, the others drawn in reading order. A drawn token sees what is kept above and to its left, but not what is kept below.
 * @throws RudolphError `bad-input` for no or two ways to say what to draw, or one that leaves nothing to draw; what `textToImage` throws.
 */
export async function inpaint(
  model: LoadedModel,
  picture: PictureTokens,
  prompt: string,
  options: InpaintOptions,
  context: TaskContext<TextToImageEvent>,
): Promise<TextToImageResult> {
  const { config } = model.manifest;
  const { borders, mask, ...drawing } = options;
  const anew = drawnAnew(config, picture, { borders, mask });
  const kept = async (): Promise<Uint32Array<ArrayBuffer>> => {
    const [codes] = await imageTokens(model, [picture], context);
    const forced = new Uint32Array(model.transformer.sequenceLength).fill(NO_TOKEN);
    codes!.forEach((id, token) => {
      if (!anew[token]) forced[config.leftLength + token] = id;
    });
    return forced;
  };
  return drawPictures(model, prompt, kept, drawing, context);
}

/**
 * Which tokens are drawn anew, d² flags row by row. Needs no weights: what cannot work is found before they are there.
 * @throws RudolphError `bad-input` for an unusable picture, borders or mask, both or neither, or nothing to draw.
 */
export function drawnAnew(
  config: ModelConfig,
  picture: PictureTokens,
  { borders, mask }: { readonly [K in 'borders' | 'mask']?: InpaintOptions[K] | undefined },
): boolean[] {
  if ((borders === undefined) === (mask === undefined))
    throw new RudolphError('bad-input', 'give either borders to keep or a mask of what to draw anew');
  checkPicture(config, picture, 'the picture');
  const anew = mask === undefined ? besideBorders(config, borders!) : underMask(config, mask, picture);
  if (!anew.includes(true))
    throw new RudolphError(
      'bad-input',
      mask === undefined
        ? `the borders keep all ${config.imageSide}×${config.imageSide} tokens, so there is nothing to draw`
        : 'the mask is black everywhere, so there is nothing to draw: paint white what should be drawn anew',
    );
  return anew;
}
