import { RudolphError } from '../errors';
import type { ImageTokenizerConfig, Manifest } from '../format/manifest';
import { abortable } from '../gpu/abortable';
import { Arena, readBack, write } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/kernel';
import { Runner } from '../gpu/runner';
import type { PlanarImage } from '../image/image';
import { recordDecoder, recordEncoder } from './vqgan/network';
import { type Activation, Recording, ScratchPool } from './vqgan/recording';
import type { Weights } from './weights';

/** The loaded components; the same `Weights` may serve for several. What is absent cannot be done (`unsupported`). */
export interface ImageTokenizerWeights {
  readonly encoder?: Weights;
  readonly decoder?: Weights;
  readonly dwt?: Weights;
}

export interface EncodeOptions {
  readonly signal?: AbortSignal;
  /** Also read the logits back. */
  readonly logits?: boolean;
}

export interface EncodedImage {
  /** In tokens: an eighth of the picture's. */
  readonly width: number;
  readonly height: number;
  /** (height · width), row by row. */
  readonly indices: Uint32Array<ArrayBuffer>;
  /** (codes, height, width) as upstream has them; only when asked for. */
  readonly logits?: Float32Array<ArrayBuffer>;
}

export interface DecodeOptions {
  /** In tokens; a square by default. */
  readonly width?: number;
  readonly height?: number;
  /** The DWT decoder, whose pictures are twice as large. */
  readonly dwt?: boolean;
  readonly signal?: AbortSignal;
  /** Part done, 0…1; called after each submission. */
  readonly onProgress?: (done: number) => void;
}

interface Program {
  readonly dispatches: readonly Dispatch[];
  readonly input: GPUBuffer;
  readonly output: GPUBuffer;
  readonly logits?: Activation;
}

/**
 * The image tokenizer: pictures to codebook indices and back (upstream's `vae`, an f8 Gumbel VQGAN).
 * Calls run one after another: they share activation buffers.
 */
export class ImageTokenizer {
  readonly config: ImageTokenizerConfig;
  /** Pixels a token is wide: 8 for four levels. */
  readonly factor: number;
  /** Tokens a side of the pictures that the model draws. */
  readonly side: number;
  readonly #gpu: Gpu;
  #arena: Arena;
  #pool: ScratchPool;
  readonly #weights: ImageTokenizerWeights;
  readonly #programs = new Map<string, Promise<Program>>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(gpu: Gpu, weights: ImageTokenizerWeights, manifest: Manifest, config: ImageTokenizerConfig) {
    this.#gpu = gpu;
    this.#arena = new Arena(gpu.device);
    this.#pool = new ScratchPool(this.#arena);
    this.#weights = weights;
    this.config = config;
    this.factor = 2 ** (config.multipliers.length - 1);
    this.side = manifest.config.imageSide;
  }

  /**
   * @param weights a `Weights` for each component, or one that holds whichever were loaded. They stay the caller's to dispose of.
   * @throws RudolphError `unsupported` when the model has no image tokenizer.
   */
  static async create(gpu: Gpu, weights: ImageTokenizerWeights | Weights, manifest: Manifest): Promise<ImageTokenizer> {
    const config = manifest.imageTokenizer;
    if (!config)
      throw new RudolphError(
        'unsupported',
        `the model ${manifest.name} has no image tokenizer: convert it with --vqgan`,
      );
    return new ImageTokenizer(gpu, 'tensor' in weights ? byComponent(weights) : weights, manifest, config);
  }

  /**
   * Picture → codebook indices: image·2−1 → encoder → quant_conv → quantize.proj → argmax (the lowest index wins ties).
   * @param image sides in multiples of 8, normally 8d × 8d; see `preprocess`
   * @throws RudolphError `bad-input` for other sides, `unsupported` when the encoder was not loaded.
   */
  async encode(image: PlanarImage, options: EncodeOptions = {}): Promise<EncodedImage> {
    const { width, height, data } = image;
    const { factor } = this;
    const channels = this.config.imageChannels;
    if (
      !(width >= factor && height >= factor) ||
      width % factor !== 0 ||
      height % factor !== 0 ||
      data.length !== channels * width * height
    ) {
      throw new RudolphError(
        'bad-input',
        `encode: the picture is ${width}×${height} with ${data.length} values, expected sides in multiples of ${factor} and ${channels} values a pixel`,
        { width, height },
      );
    }
    return this.#exclusive(async () => {
      const { signal } = options;
      const program = await abortable(this.#encodeProgram(width, height), signal);
      write(this.#gpu.device, program.input, 0, data);
      await this.#run(program, signal);
      const tokens = { width: width / factor, height: height / factor };
      const byteLength = tokens.width * tokens.height * 4;
      const indices = new Uint32Array(await readBack(this.#gpu.device, program.output, 0, byteLength, signal));
      if (!options.logits) return { ...tokens, indices };
      return { ...tokens, indices, logits: await readPlanes(this.#gpu.device, program.logits!) };
    });
  }

  /**
   * Codebook indices → picture in 0…1.
   * @param indices (height · width) row by row
   * @throws RudolphError `bad-input` when there are too few or too many, or one is no code; `unsupported` when the decoder was not loaded.
   */
  async decode(indices: ArrayLike<number>, options: DecodeOptions = {}): Promise<PlanarImage> {
    const { width, height } = tokenSize(indices.length, options);
    const codes = this.#checkedCodes(indices, width);
    const dwt = options.dwt ?? false;
    const scale = this.factor * (dwt ? 2 : 1);
    return this.#exclusive(async () => {
      const { signal } = options;
      const program = await abortable(this.#decodeProgram(width, height, dwt), signal);
      write(this.#gpu.device, program.input, 0, codes);
      await this.#run(program, signal, options.onProgress);
      const size = { width: width * scale, height: height * scale };
      const byteLength = this.config.imageChannels * size.width * size.height * 4;
      const image = await readBack(this.#gpu.device, program.output, 0, byteLength, signal);
      return { ...size, data: new Float32Array(image) };
    });
  }

  /** Records what encodes or decodes pictures of the model's size; later calls find it. Rejects as these do. */
  async prepare(what: 'encode' | 'decode' | 'dwt'): Promise<void> {
    const { side, factor } = this;
    if (what === 'encode') await this.#encodeProgram(side * factor, side * factor);
    else await this.#decodeProgram(side, side, what === 'dwt');
  }

  /** Frees the activation buffers; the weights stay. */
  dispose(): void {
    this.#programs.clear();
    this.#arena.dispose();
  }

  async #exclusive<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #encodeProgram(width: number, height: number): Promise<Program> {
    return this.#program(`encode ${width}×${height}`, () => this.#recordEncode(width, height));
  }

  #decodeProgram(width: number, height: number, dwt: boolean): Promise<Program> {
    return this.#program(`decode ${width}×${height} ${dwt}`, () => this.#recordDecode(width, height, dwt));
  }

  /** The program of this name; one that is being recorded is waited for, also when whoever asked first was stopped. */
  #program(key: string, record: () => Promise<Program>): Promise<Program> {
    let program = this.#programs.get(key);
    if (!program) {
      const arena = this.#arena;
      program = (async () => {
        const recorded = await record();
        await arena.allocated();
        return recorded;
      })();
      this.#programs.set(key, program);
      program.catch((error: unknown) => {
        this.#programs.delete(key);
        const full = error instanceof RudolphError && error.code === 'out-of-memory';
        if (full && this.#arena === arena) this.#forget();
      });
    }
    return program;
  }

  /** Frees all programs: smaller ones may fit after all. */
  #forget(): void {
    this.dispose();
    this.#arena = new Arena(this.#gpu.device);
    this.#pool = new ScratchPool(this.#arena);
  }

  async #recordEncode(width: number, height: number): Promise<Program> {
    const recording = new Recording(this.#gpu, this.#pool, this.#loaded('encoder'));
    const input = this.#arena.buffer('image', this.config.imageChannels * width * height * 4);
    const output = this.#arena.buffer('codes', (width / this.factor) * (height / this.factor) * 4);
    const logits = await recordEncoder(recording, this.config, input, width, height, output);
    return { dispatches: recording.dispatches, input, output, logits };
  }

  async #recordDecode(width: number, height: number, dwt: boolean): Promise<Program> {
    const recording = new Recording(this.#gpu, this.#pool, this.#loaded(dwt ? 'dwt' : 'decoder'), dwt ? 'dwt.' : '');
    const pixels = width * height * this.factor ** 2 * (dwt ? 4 : 1);
    const input = this.#arena.buffer('codes', width * height * 4);
    const output = this.#arena.buffer('image', this.config.imageChannels * pixels * 4);
    await recordDecoder(recording, this.config, input, width, height, output, dwt);
    return { dispatches: recording.dispatches, input, output };
  }

  #loaded(component: keyof ImageTokenizerWeights): Weights {
    const weights = this.#weights[component];
    if (weights) return weights;
    const what = { encoder: 'image encoder', decoder: 'image decoder', dwt: 'DWT image decoder' }[component];
    throw new RudolphError('unsupported', `the ${what} is not loaded, or the model was converted without it`, {
      component,
    });
  }

  async #run(program: Program, signal?: AbortSignal, onProgress?: (done: number) => void): Promise<void> {
    const runner = new Runner(this.#gpu.device, signal);
    const total = program.dispatches.reduce((sum, dispatch) => sum + dispatch.work, 0);
    let done = 0;
    for (const dispatch of program.dispatches) {
      const before = runner.submissions;
      await runner.run([dispatch]);
      if (runner.submissions !== before) onProgress?.(done / total);
      done += dispatch.work;
    }
    await runner.idle();
    onProgress?.(1);
  }

  #checkedCodes(indices: ArrayLike<number>, width: number): Uint32Array<ArrayBuffer> {
    const { codes } = this.config;
    const checked = new Uint32Array(indices.length);
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      if (!Number.isInteger(index) || index < 0 || index >= codes) {
        const where = `row ${Math.floor(i / width)}, column ${i % width}`;
        throw new RudolphError(
          'bad-input',
          `decode: index ${i} (${where}) is ${index}, expected an integer from 0 to ${codes - 1}`,
          { position: i, index },
        );
      }
      checked[i] = index;
    }
    return checked;
  }
}

function byComponent(weights: Weights): ImageTokenizerWeights {
  return {
    ...(weights.has('encoder.conv_in.weight') ? { encoder: weights } : {}),
    ...(weights.has('decoder.conv_in.weight') ? { decoder: weights } : {}),
    ...(weights.has('dwt.decoder.conv_in.weight') ? { dwt: weights } : {}),
  };
}

function tokenSize(count: number, options: DecodeOptions): { width: number; height: number } {
  const square = Math.round(Math.sqrt(count));
  const width = options.width ?? (options.height ? count / options.height : square);
  const height = options.height ?? (options.width ? count / options.width : square);
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1 || width * height !== count) {
    const expected =
      options.width || options.height ? `${options.width ?? '?'}×${options.height ?? '?'}` : 'a square number';
    throw new RudolphError('bad-input', `decode: ${count} indices, expected ${expected} of them`, { count });
  }
  return { width, height };
}

/** (height, width, stride) on the GPU → (channels, height, width). */
async function readPlanes(device: GPUDevice, x: Activation): Promise<Float32Array<ArrayBuffer>> {
  const pixels = x.width * x.height;
  const rows = new Float32Array(await readBack(device, x.buffer, 0, pixels * x.stride * 4));
  const planes = new Float32Array(x.channels * pixels);
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < x.channels; c++) planes[c * pixels + p] = rows[p * x.stride + c]!;
  }
  return planes;
}
