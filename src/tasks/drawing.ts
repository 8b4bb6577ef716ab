import type { RgbaImage } from '../image/image';
import { toRgba } from '../image/planar';
import { generate } from '../model/generate';
import { checkSampling } from '../model/sampler';
import { Attempt } from './journal';
import type { LoadedModel } from './loadedModel';
import { checkText, fillTemplate, leftPrompt, taskToken } from './prompts';
import { rankImages } from './rank';
import { drawSeed, given, IMAGE_SAMPLING } from './sampling';
import { best, checkKeep, checkWeight } from './scores';
import type { Ranking, TaskContext, TextToImageEvent, TextToImageOptions, TextToImageResult } from './types';

/**
 * Draws image tokens behind a prompt, ranks them where asked, and decodes them.
 * @param prepare called when the options have been checked: ids of the tokens that are given, by position in the sequence; NO_TOKEN elsewhere
 */
export async function drawPictures(
  model: LoadedModel,
  prompt: string,
  prepare: (() => Promise<Uint32Array<ArrayBuffer>>) | null,
  options: TextToImageOptions,
  context: TaskContext<TextToImageEvent>,
): Promise<TextToImageResult> {
  const { config } = model.manifest;
  const { signal, onEvent, attempt = new Attempt() } = context;
  const { guidance = 0, keep, rankingWeight } = options;
  checkSampling(options);
  checkText('the prompt', prompt, 'кот слева от ёлки');
  checkKeep(keep, options.count);
  checkWeight(rankingWeight);
  model.checkDecoder(options.decoder); // now: drawing may take long, and would be lost
  const seed = options.seed ?? attempt.number(drawSeed);
  const imageTokens = config.imageSide ** 2;
  const text = options.template === undefined ? prompt : fillTemplate(options.template, prompt);
  const left = leftPrompt(model, text, taskToken(model, options.specialToken, 'LT_T2I', context), context);
  const forced = await prepare?.();
  onEvent?.({ type: 'progress', stage: 'prompt', done: 0, total: 1 });
  const drawn = await generate(model.transformer, model.sampler, {
    prefix: left,
    ...(guidance === 0
      ? {}
      : { guidance: { prefix: model.leftPrompt('', model.taskToken('LT_UNK').name).ids, weight: guidance } }),
    end: config.leftLength + imageTokens,
    count: options.count ?? 1,
    stream: 'image',
    classes: config.imageVocabulary - config.imageSpecialTokens,
    sampling: { ...IMAGE_SAMPLING, ...given(options), seed },
    ...(forced ? { forced } : {}),
    drawn: attempt.drawn(),
    ...(signal ? { signal } : {}),
    onPrefix: () => onEvent?.({ type: 'progress', stage: 'prompt', done: 1, total: 1 }),
    onProgress: (done, total) => onEvent?.({ type: 'progress', stage: 'tokens', done, total }),
    onTokens: (tokens, known) => {
      const images = tokens.map((codes, candidate) => model.preview(codes, known[candidate]!));
      if (images.every((image) => image !== null)) onEvent?.({ type: 'preview', images: images as RgbaImage[] });
    },
  });
  let codebooks = drawn.map((codes) => Array.from(codes));
  let ranking: Ranking | undefined;
  if (keep !== undefined) {
    const weight = rankingWeight === undefined ? {} : { weight: rankingWeight };
    const ranked = best(await rankImages(model, prompt, codebooks, weight, context), keep);
    codebooks = ranked.chosen.map((candidate) => codebooks[candidate]!);
    ranking = ranked.ranking;
  }
  const images = await decode(model, codebooks, options, context);
  return { images, codebooks, seed, ...(ranking ? { ranking } : {}) };
}

async function decode(
  model: LoadedModel,
  codebooks: readonly (readonly number[])[],
  { decoder }: TextToImageOptions,
  { signal, onEvent, attempt = new Attempt() }: TaskContext<TextToImageEvent>,
): Promise<RgbaImage[]> {
  const total = codebooks.length;
  const images: RgbaImage[] = [];
  for (const [candidate, codes] of codebooks.entries()) {
    const onProgress = (part: number): void =>
      onEvent?.({ type: 'progress', stage: 'pictures', done: candidate + part, total });
    onProgress(0);
    const { value: image, fresh } = await attempt.once(async () =>
      toRgba(await model.decodeImage(codes, { decoder, onProgress, ...(signal ? { signal } : {}) })),
    );
    images.push(image);
    if (fresh) onEvent?.({ type: 'picture', candidate, image });
  }
  onEvent?.({ type: 'progress', stage: 'pictures', done: total, total });
  return images;
}
