import { RudolphError } from '../errors';
import type { RgbaImage } from '../image/image';
import { toRgba } from '../image/planar';
import { KeyValueCache } from '../model/cache';
import { generate } from '../model/generate';
import { checkSampling } from '../model/sampler';
import type { LoadedModel } from './loadedModel';
import { drawSeed, given, MOST_CANDIDATES } from './sampling';
import type { TaskContext, TextToImageEvent, TextToImageOptions, TextToImageResult } from './types';

/** Upstream's defaults for images. */
export const IMAGE_SAMPLING = { topK: 768, topP: 0.99, temperature: 1 } as const;

/**
 * Draws pictures from a text (upstream's `generate_codebooks`, then `vae.decode`).
 * @throws RudolphError `bad-input` for an empty prompt or options out of range.
 */
export async function textToImage(
  model: LoadedModel,
  prompt: string,
  options: TextToImageOptions,
  { signal, onEvent }: TaskContext<TextToImageEvent>,
): Promise<TextToImageResult> {
  const { config } = model.manifest;
  checkSampling(options);
  if (typeof prompt !== 'string' || prompt.trim() === '') {
    throw new RudolphError(
      'bad-input',
      'the prompt is empty: say in Russian what should be drawn, e.g. «кот слева от ёлки»',
    );
  }
  const count = options.count ?? 1;
  const seed = options.seed ?? drawSeed();
  const imageTokens = config.imageSide ** 2;
  const left = model.leftPrompt(prompt, options.specialToken === undefined ? 'LT_T2I' : options.specialToken);
  if (left.cut > 0)
    onEvent?.({
      type: 'notice',
      message: `the prompt is too long: only its first ${left.count} of ${left.count + left.cut} tokens were used`,
    });
  onEvent?.({ type: 'progress', stage: 'prompt', done: 0, total: 1 });

  const shape = {
    prefixes: 1,
    prefixLength: config.leftLength,
    sequences: Math.min(count, MOST_CANDIDATES),
    tailLength: imageTokens,
    rings: true,
  };
  const together = KeyValueCache.sequencesThatFit(config, shape, model.gpu.device.limits.maxStorageBufferBindingSize);
  const codebooks: number[][] = [];
  for (let first = 0; first < count; first += together) {
    const candidates = Math.min(together, count - first);
    const drawn = await generate(model.transformer, model.sampler, {
      prefix: left.ids,
      end: config.leftLength + imageTokens,
      candidates,
      firstCandidate: first,
      stream: 'image',
      classes: config.imageVocabulary - config.imageSpecialTokens,
      sampling: { ...IMAGE_SAMPLING, ...given(options), seed },
      ...(signal ? { signal } : {}),
      onPrefix: () => onEvent?.({ type: 'progress', stage: 'prompt', done: 1, total: 1 }),
      onTokens: (tokens, known) => {
        onEvent?.({
          type: 'progress',
          stage: 'tokens',
          done: first * imageTokens + known * candidates,
          total: count * imageTokens,
        });
        const images = [
          ...codebooks.map((codes) => model.preview(codes, imageTokens)),
          ...tokens.map((codes) => model.preview(codes, known)),
        ];
        if (images.every((image) => image !== null)) onEvent?.({ type: 'preview', images: images as RgbaImage[] });
      },
    });
    codebooks.push(...drawn.map((codes) => Array.from(codes)));
  }
  onEvent?.({ type: 'progress', stage: 'tokens', done: count * imageTokens, total: count * imageTokens });

  const images: RgbaImage[] = [];
  for (const [candidate, codes] of codebooks.entries()) {
    const progress = (part: number): void =>
      onEvent?.({ type: 'progress', stage: 'pictures', done: candidate + part, total: count });
    progress(0);
    const image = toRgba(await model.decodeImage(codes, { onProgress: progress, ...(signal ? { signal } : {}) }));
    images.push(image);
    onEvent?.({ type: 'picture', candidate, image });
  }
  onEvent?.({ type: 'progress', stage: 'pictures', done: count, total: count });
  return { images, codebooks, seed };
}
