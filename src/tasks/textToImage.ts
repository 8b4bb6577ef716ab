import { drawPictures } from './drawing';
import type { LoadedModel } from './loadedModel';
import type { TaskContext, TextToImageEvent, TextToImageOptions, TextToImageResult } from './types';

/**
 * Draws pictures from a text (upstream's `generate_codebooks`, then `vae.decode`; with `keep` its `dream`).
 * @throws RudolphError `bad-input` for an empty prompt or options out of range, `unsupported` for a decoder that the model lacks.
 */
export function textToImage(
  model: LoadedModel,
  prompt: string,
  options: TextToImageOptions,
  context: TaskContext<TextToImageEvent>,
): Promise<TextToImageResult> {
  return drawPictures(model, prompt, null, options, context);
}
