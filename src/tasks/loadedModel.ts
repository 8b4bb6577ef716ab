import { RudolphError } from '../errors';
import type { ComponentName, Manifest } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import { readComponent } from '../format/readComponent';
import type { Gpu } from '../gpu/device';
import type { PlanarImage, RgbaImage } from '../image/image';
import { END } from '../model/generate';
import { ImageTokenizer } from '../model/imageTokenizer';
import { Sampler } from '../model/sampler';
import { selfTested } from '../model/selfTest';
import { Transformer } from '../model/transformer';
import { type LoadProgress, Weights } from '../model/weights';
import { buildPrompt } from '../text/prompt';
import { Tokenizer } from '../text/tokenizer';

type LaterComponent = 'imageEncoder' | 'imageDecoderDwt';

export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
}

function bpeVocabularyOf({ textVocabulary, leftLength, textSpecialTokens }: Manifest['config']): number {
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
  readonly transformer: Transformer;
  readonly sampler: Sampler;
  readonly tokenizer: Tokenizer;
  /** Decodes; encoding needs `encoder`. */
  readonly images: ImageTokenizer;
  readonly #source: ModelSource;
  readonly #weights: Weights[];
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
    this.#weights = [parts.weights];
    this.#meanColours = parts.meanColours;
    this.#onProgress = onProgress;
  }

  /**
   * Streams transformer and image decoder to the device. The encoder follows when the first picture has to be read, so
   * that a page that only draws never fetches it.
   * The device's kernels are tested first: a variant that computes wrongly is not used (see `gpu.variants`).
   * @throws RudolphError of the source, or `unsupported`, `bad-model`, `self-test`.
   */
  static async load(untested: Gpu, source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
    const { manifest } = source;
    source.expect?.(firstComponents(manifest));
    const gpu = await selfTested(untested);
    const tokenizer = openTokenizer(await readComponent(source, 'tokenizer', options.signal), manifest.config);
    const colours = manifest.components.preview ? await readComponent(source, 'preview', options.signal) : null;
    const weights = await Weights.load(
      gpu.device,
      source,
      firstComponents(manifest).filter((name) => name !== 'tokenizer' && name !== 'preview'),
      options,
    );
    let transformer: Transformer | undefined;
    try {
      transformer = Transformer.create(gpu, manifest.config, weights);
      const sampler = await Sampler.create(gpu);
      const images = await ImageTokenizer.create(gpu, weights, manifest);
      return new LoadedModel(
        gpu,
        source,
        { transformer, sampler, tokenizer, images, weights, meanColours: colours },
        options.onProgress,
      );
    } catch (error) {
      transformer?.dispose();
      weights.dispose();
      throw error;
    }
  }

  /** The image tokenizer with its encoder, which is loaded at the first call. */
  encoder(signal?: AbortSignal): Promise<ImageTokenizer> {
    return this.#tokenizerWith('imageEncoder', signal);
  }

  /** E: ids from here on are special tokens or pads. */
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
    this.transformer.dispose();
    this.images.dispose();
    for (const loading of this.#later.values()) {
      void loading.then(
        (images) => images.dispose(),
        () => undefined,
      );
    }
    for (const weights of this.#weights) weights.dispose();
  }

  #tokenizerWith(component: LaterComponent, signal: AbortSignal | undefined): Promise<ImageTokenizer> {
    let loading = this.#later.get(component);
    if (!loading) {
      loading = this.#load(component, signal).catch((error: unknown) => {
        this.#later.delete(component);
        throw error;
      });
      this.#later.set(component, loading);
    }
    return loading;
  }

  async #load(component: LaterComponent, signal: AbortSignal | undefined): Promise<ImageTokenizer> {
    this.#source.expect?.([component]);
    const weights = await Weights.load(this.gpu.device, this.#source, [component], {
      ...(signal ? { signal } : {}),
      ...(this.#onProgress ? { onProgress: this.#onProgress } : {}),
    });
    if (this.#disposed) {
      weights.dispose();
      throw new RudolphError('unsupported', 'the model was disposed of');
    }
    this.#weights.push(weights);
    return ImageTokenizer.create(this.gpu, weights, this.manifest);
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
export function firstComponents({ components }: Manifest): ComponentName[] {
  const decoder = (['imageDecoder', 'imageDecoderDwt'] as const).find((name) => components[name]);
  return [
    'tokenizer',
    ...(components.preview ? ['preview' as const] : []),
    'transformer',
    ...(decoder ? [decoder] : []),
  ];
}
