import { RudolphError } from '../errors';
import type { ComponentName, Manifest } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import { readComponent } from '../format/readComponent';
import { abortable } from '../gpu/abortable';
import type { Gpu } from '../gpu/device';
import { BASE_VARIANTS, type GpuMemory } from '../gpu/variants';
import type { PlanarImage, RgbaImage } from '../image/image';
import { END } from '../model/generate';
import { ImageTokenizer } from '../model/imageTokenizer';
import { Sampler } from '../model/sampler';
import { drawingComponents, planDrawing } from '../model/plan';
import { tested } from '../model/selfTest';
import { Transformer } from '../model/transformer';
import { type LoadProgress, Weights } from '../model/weights';
import { buildPrompt } from '../text/prompt';
import { Tokenizer } from '../text/tokenizer';

type LaterComponent = 'imageEncoder' | 'imageDecoderDwt';

export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** What the model and a drawing will take, before anything is downloaded or allocated. */
  readonly onMemory?: (memory: GpuMemory) => void;
}

/** E: ids from here on are special tokens or pads. */
export function bpeVocabularyOf({ textVocabulary, leftLength, textSpecialTokens }: Manifest['config']): number {
  return textVocabulary - leftLength - textSpecialTokens;
}

/**
 * The tokenizer of a model, from the bytes of its `bpe.model`.
 * @throws RudolphError `bad-checkpoint` for other bytes, `bad-model` for the tokenizer of another model, whose ids this one has no
 * embeddings for.
 */
export function openTokenizer(bytes: Uint8Array, config: Manifest['config']): Tokenizer {
  const tokenizer = Tokenizer.parse(bytes);
  const expected = bpeVocabularyOf(config);
  if (tokenizer.vocabularySize !== expected) {
    throw new RudolphError(
      'bad-model',
      `the model's tokenizer has ${tokenizer.vocabularySize} ids, the model knows ${expected}: convert the model again`,
      { found: tokenizer.vocabularySize, expected },
    );
  }
  return tokenizer;
}

/** A model on a device: what the tasks work with. */
export class LoadedModel {
  readonly gpu: Gpu;
  readonly manifest: Manifest;
  /** What it takes of the graphics memory while one picture is drawn. */
  readonly memory: GpuMemory;
  readonly transformer: Transformer;
  readonly sampler: Sampler;
  readonly tokenizer: Tokenizer;
  /** Decodes; encoding needs `encoder`. */
  readonly images: ImageTokenizer;
  readonly #source: ModelSource;
  /** What `dispose` frees. */
  readonly #made: { dispose(): void }[];
  /** (codes, 3) mean RGB of each code's patch, or null when the model has none. */
  readonly #meanColours: Uint8Array | null;
  readonly #onProgress: LoadOptions['onProgress'];
  /** Image tokenizers whose weights follow when the first task needs them. */
  readonly #later = new Map<LaterComponent, Promise<ImageTokenizer>>();
  #disposed = false;

  private constructor(
    gpu: Gpu,
    source: ModelSource,
    parts: {
      transformer: Transformer;
      sampler: Sampler;
      tokenizer: Tokenizer;
      images: ImageTokenizer;
      weights: Weights;
      meanColours: Uint8Array | null;
      memory: GpuMemory;
    },
    onProgress: LoadOptions['onProgress'],
  ) {
    this.gpu = gpu;
    this.manifest = source.manifest;
    this.transformer = parts.transformer;
    this.sampler = parts.sampler;
    this.tokenizer = parts.tokenizer;
    this.images = parts.images;
    this.#source = source;
    this.#made = [parts.transformer, parts.images, parts.weights];
    this.#meanColours = parts.meanColours;
    this.memory = parts.memory;
    this.#onProgress = onProgress;
  }

  /**
   * Streams transformer and image decoder to the device. The encoder follows when the first picture has to be read, so
   * that a page that only draws never fetches it.
   * The kernels that drawing uses are compiled and tested meanwhile: a variant that computes wrongly is not used (see `gpu.variants`). All
   * others are tested when the first task needs them.
   * @throws RudolphError of the source, or `unsupported`, `bad-model`, `self-test`, `out-of-memory`, `device-lost`; the signal's reason as soon
   *   as there is one.
   */
  static async load(gpu: Gpu, source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
    const loading = LoadedModel.#open(gpu, source, options);
    try {
      return await abortable(gpu.failure.race(loading, options.signal), options.signal);
    } catch (error) {
      // On a device that is lost everything seems to go well.
      loading.then(
        (model) => model.dispose(),
        () => undefined,
      );
      throw error;
    }
  }

  static async #open(untested: Gpu, source: ModelSource, options: LoadOptions): Promise<LoadedModel> {
    const { manifest } = source;
    const { memory, kernels } = await planDrawing(untested, manifest);
    options.onMemory?.(memory);
    const stop = new AbortController();
    const end = (): void => stop.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', end, { once: true });
    if (options.signal?.aborted) end();
    const { signal } = stop;
    const made: { dispose(): void }[] = [];
    try {
      const gpu = tested(untested);
      // While weights come in: compiling takes long, too. What computes wrongly needs no weights.
      const testing = abortable(gpu.kernels.prepare(kernels), signal);
      testing.catch((error: unknown) => stop.abort(error));
      source.expect?.(firstComponents(manifest));
      const tokenizer = openTokenizer(await readComponent(source, 'tokenizer', signal), manifest.config);
      const meanColours = manifest.components.preview ? await readComponent(source, 'preview', signal) : null;
      const { onProgress } = options;
      const weights = await Weights.load(gpu.device, source, drawingComponents(manifest), {
        signal,
        ...(onProgress ? { onProgress } : {}),
      });
      made.push(weights);
      await testing;
      const chosen = gpu.kernels.replaced ? { ...gpu, variants: BASE_VARIANTS } : gpu;
      const transformer = Transformer.create(chosen, manifest.config, weights);
      made.push(transformer);
      const sampler = await Sampler.create(chosen);
      const images = await ImageTokenizer.create(chosen, weights, manifest);
      const parts = { transformer, sampler, tokenizer, images, weights, meanColours, memory };
      return new LoadedModel(chosen, source, parts, onProgress);
    } catch (error) {
      for (const part of made) part.dispose();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', end);
    }
  }

  /** The image tokenizer with its encoder, which is loaded at the first call. */
  encoder(signal?: AbortSignal): Promise<ImageTokenizer> {
    return this.#tokenizerWith('imageEncoder', signal);
  }

  /** See `bpeVocabularyOf`. */
  get bpeVocabulary(): number {
    return bpeVocabularyOf(this.manifest.config);
  }

  /** The left text: `[2] + [special] + ids + [3]`, zero-padded to L; see `buildPrompt`. */
  leftPrompt(text: string, special: string | null): ReturnType<typeof buildPrompt> {
    return buildPrompt(this.tokenizer, text, {
      special: this.#special(special),
      length: this.manifest.config.leftLength,
    });
  }

  /**
   * The special token of a task. Where a model has others but not this one (the base models know none of FBC2's), the unknown
   * one takes its place, as in a quarter of the training; null for models that have none.
   */
  taskToken(name: string): { readonly name: string | null; readonly known: boolean } {
    const { specialTokens } = this.manifest;
    if (specialTokens === null) return { name: null, known: false };
    return name in specialTokens ? { name, known: true } : { name: `${name.slice(0, 2)}_UNK`, known: false };
  }

  /** The right text of a score, `[2] + [special] + ids + [3]`, zero-padded to R; see `buildPrompt`. */
  rightPrompt(text: string, special: string | null): ReturnType<typeof buildPrompt> {
    return buildPrompt(this.tokenizer, text, {
      special: this.#special(special),
      length: this.manifest.config.rightLength,
    });
  }

  /**
   * `[2] + [special] + ids`, to be continued in the left or right text: no closing 3. `textIds` are those with which the written
   * text begins: without letters that the tokenizer does not know (unk, 1), of which nothing could be decoded.
   * @throws RudolphError `bad-input` when it leaves no room for what should follow.
   */
  openPrompt(
    stream: 'left' | 'right',
    text: string,
    special: string | null,
  ): { readonly ids: readonly number[]; readonly textIds: readonly number[] } {
    const { leftLength, rightLength } = this.manifest.config;
    const length = stream === 'left' ? leftLength : rightLength;
    const prompt = buildPrompt(this.tokenizer, text, { special: this.#special(special), length, close: false });
    if (prompt.count + prompt.cut >= length) {
      const what = stream === 'left' ? 'text' : 'template';
      throw new RudolphError(
        'bad-input',
        `the ${what} takes ${prompt.count + prompt.cut} of the ${stream} text's ${length} positions and leaves no room for more; use a shorter one`,
      );
    }
    const ids = prompt.ids.slice(0, prompt.count);
    return { ids, textIds: ids.filter((id) => id > END && id < this.bpeVocabulary) };
  }

  /** Ids of a text as the model reads it, of those of a prompt: without 2, the special token, the closing 3 and padding. */
  textIds(prompt: readonly number[]): number[] {
    return prompt.filter((id) => id === this.tokenizer.unk || (id > END && id < this.bpeVocabulary));
  }

  /**
   * The decoder to use: the one asked for, by default the plain one where the model has it.
   * @throws RudolphError `bad-input` for what is no decoder, `unsupported` for one that the model lacks.
   */
  checkDecoder(asked: 'plain' | 'dwt' | undefined): 'plain' | 'dwt' {
    const { components, name } = this.manifest;
    const decoder = asked ?? (components.imageDecoder ? 'plain' : 'dwt');
    if (decoder !== 'plain' && decoder !== 'dwt')
      throw new RudolphError('bad-input', `the decoder is ${String(decoder)}, expected plain or dwt`);
    if (!components[decoder === 'dwt' ? 'imageDecoderDwt' : 'imageDecoder']) {
      const kind = asked === undefined ? '' : decoder === 'dwt' ? 'DWT ' : 'plain ';
      throw new RudolphError('unsupported', `the model ${name} has no ${kind}image decoder`);
    }
    return decoder;
  }

  /**
   * Image tokens → picture. `decoder`: see `checkDecoder`.
   * @throws RudolphError what `checkDecoder` throws.
   */
  async decodeImage(
    codes: readonly number[],
    options: {
      readonly decoder?: 'plain' | 'dwt' | undefined;
      readonly signal?: AbortSignal;
      readonly onProgress?: (done: number) => void;
    },
  ): Promise<PlanarImage> {
    const dwt = this.checkDecoder(options.decoder) === 'dwt';
    const images =
      dwt && this.manifest.components.imageDecoder
        ? await this.#tokenizerWith('imageDecoderDwt', options.signal)
        : this.images;
    const { signal, onProgress } = options;
    return images.decode(codes, { dwt, ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) });
  }

  /** Text of BPE ids; pads, bos, eos and everything above the BPE vocabulary are left out. */
  decodeText(ids: readonly number[]): string {
    const known = Math.min(this.bpeVocabulary, this.tokenizer.vocabularySize);
    return this.tokenizer.decode(ids.filter((id) => id > END && id < known));
  }

  /** One pixel a token in the code's mean colour, tokens from `known` on transparent; null when the model has no table of colours. */
  preview(codes: ArrayLike<number>, known: number): RgbaImage | null {
    const colours = this.#meanColours;
    if (!colours) return null;
    const side = this.manifest.config.imageSide;
    const data = new Uint8ClampedArray(side * side * 4);
    for (let t = 0; t < Math.min(known, side * side); t++) {
      data.set(colours.subarray(codes[t]! * 3, codes[t]! * 3 + 3), t * 4);
      data[t * 4 + 3] = 255;
    }
    return { width: side, height: side, data };
  }

  /** Frees all GPU memory of the model; the device stays. */
  dispose(): void {
    this.#disposed = true;
    for (const part of this.#made) part.dispose();
  }

  #tokenizerWith(component: LaterComponent, signal: AbortSignal | undefined): Promise<ImageTokenizer> {
    let loading = this.#later.get(component);
    if (!loading) {
      loading = this.#loadLater(component, signal).catch((error: unknown) => {
        this.#later.delete(component);
        throw error;
      });
      this.#later.set(component, loading);
    }
    return loading;
  }

  async #loadLater(component: LaterComponent, signal: AbortSignal | undefined): Promise<ImageTokenizer> {
    this.#source.expect?.([component]);
    const weights = await Weights.load(this.gpu.device, this.#source, [component], {
      ...(signal ? { signal } : {}),
      ...(this.#onProgress ? { onProgress: this.#onProgress } : {}),
    });
    if (this.#disposed) {
      weights.dispose();
      throw new RudolphError('unsupported', 'the model was disposed of');
    }
    this.#made.push(weights);
    const images = await ImageTokenizer.create(this.gpu, weights, this.manifest);
    this.#made.push(images);
    if (this.#disposed) images.dispose();
    return images;
  }

  /** The id of a special token; null for null and for models that have none (350M_v1). */
  #special(name: string | null): number | null {
    const { specialTokens } = this.manifest;
    if (name === null || specialTokens === null) return null;
    const id = specialTokens[name];
    if (id === undefined) {
      throw new RudolphError(
        'unsupported',
        `the model has no special token ${name}; it has ${Object.keys(specialTokens).join(', ')}`,
        { token: name },
      );
    }
    return id;
  }
}

/** What `LoadedModel.load` reads, in its order: enough to draw. */
function firstComponents(manifest: Manifest): ComponentName[] {
  return ['tokenizer', ...(manifest.components.preview ? ['preview' as const] : []), ...drawingComponents(manifest)];
}
