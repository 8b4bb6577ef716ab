import { RudolphError } from '../errors';
import type { RgbaImage } from '../image/image';
import { preprocess } from '../image/preprocess';
import { KeyValueCache } from '../model/cache';
import { generate } from '../model/generate';
import { checkSampling } from '../model/sampler';
import type { LoadedModel } from './loadedModel';
import { drawSeed, given, MOST_CANDIDATES } from './sampling';
import type { CaptionEvent, CaptionOptions, CaptionResult, TaskContext } from './types';

/** Upstream's defaults for texts. */
export const TEXT_SAMPLING = { topK: 64, topP: 0.8, temperature: 0.9 } as const;
/** Upstream's: 'on the picture'. Captions continue it. */
export const CAPTION_TEMPLATE = 'на картинке';
const END = 3;

/**
 * Describes a picture (upstream's `generate_captions`): left text `I2T` without words, the picture, then the right text
 * begins with the template and is continued; drafts that end alike are counted.
 * @throws RudolphError `bad-input` for a template that fills the right text or options out of range; `unsupported` without an image encoder.
 */
export async function caption(
  model: LoadedModel,
  image: RgbaImage,
  options: CaptionOptions,
  { signal, onEvent }: TaskContext<CaptionEvent>,
): Promise<CaptionResult> {
  const { config } = model.manifest;
  checkSampling(options);
  if (!(image.width >= 1 && image.height >= 1) || image.data.length !== image.width * image.height * 4) {
    throw new RudolphError(
      'bad-input',
      `the picture is ${image.width}×${image.height} with ${image.data.length} bytes, expected width · height · 4`,
    );
  }
  const count = options.count ?? 1;
  const seed = options.seed ?? drawSeed();
  const template = model.rightPrompt(
    options.template ?? CAPTION_TEMPLATE,
    options.rightSpecialToken === undefined ? 'RT_I2T' : options.rightSpecialToken,
  );
  const left = model.leftPrompt('', options.leftSpecialToken === undefined ? 'LT_I2T' : options.leftSpecialToken);

  onEvent?.({ type: 'progress', stage: 'image', done: 0, total: 1 });
  const encoder = await model.encoder(signal);
  const { indices } = await encoder.encode(
    preprocess(image, config.imageSide * encoder.factor),
    signal ? { signal } : {},
  );
  onEvent?.({ type: 'progress', stage: 'image', done: 1, total: 1 });

  const prefix = [...left.ids, ...indices, ...template.ids];
  const end = config.leftLength + config.imageSide ** 2 + config.rightLength;
  const total = end - prefix.length;
  const shape = {
    prefixes: 1,
    prefixLength: prefix.length,
    sequences: Math.min(count, MOST_CANDIDATES),
    tailLength: total,
    rings: false,
  };
  const together = KeyValueCache.sequencesThatFit(config, shape, model.gpu.device.limits.maxStorageBufferBindingSize);
  const textOf = (ids: ArrayLike<number>): { ids: number[]; text: string } => {
    const ended = Array.from(ids);
    const stop = ended.indexOf(END);
    const all = [...template.textIds, ...(stop < 0 ? ended : ended.slice(0, stop))];
    return { ids: all, text: model.decodeText(all) };
  };
  const drafts: { ids: number[]; text: string }[] = [];
  for (let first = 0; first < count; first += together) {
    const candidates = Math.min(together, count - first);
    onEvent?.({ type: 'progress', stage: 'prompt', done: 0, total: 1 });
    const written = await generate(model.transformer, model.sampler, {
      prefix,
      end,
      candidates,
      firstCandidate: first,
      stream: 'text',
      classes: config.textVocabulary - config.leftLength,
      endFrom: model.bpeVocabulary,
      sampling: { ...TEXT_SAMPLING, ...given(options), seed },
      ...(signal ? { signal } : {}),
      onPrefix: () => onEvent?.({ type: 'progress', stage: 'prompt', done: 1, total: 1 }),
      onTokens: (tokens, known) => {
        onEvent?.({
          type: 'progress',
          stage: 'tokens',
          done: first * total + known * candidates,
          total: count * total,
        });
        onEvent?.({
          type: 'drafts',
          texts: [...drafts.map((draft) => draft.text), ...tokens.map((ids) => textOf(ids.subarray(0, known)).text)],
        });
      },
    });
    drafts.push(...written.map(textOf));
  }
  onEvent?.({ type: 'progress', stage: 'tokens', done: count * total, total: count * total });

  const counted = new Map<string, { ids: number[]; count: number }>();
  for (const draft of drafts) {
    const entry = counted.get(draft.text) ?? { ids: draft.ids, count: 0 };
    entry.count++;
    counted.set(draft.text, entry);
  }
  // Sorting is stable: equally frequent captions stay in the order of their first draft.
  const sorted = [...counted].sort(([, a], [, b]) => b.count - a.count);
  return {
    texts: sorted.map(([text]) => text),
    counts: sorted.map(([, entry]) => entry.count),
    tokens: sorted.map(([, entry]) => entry.ids),
    seed,
  };
}
