import { RudolphError } from '../errors';
import type { VariantChoice } from '../gpu/variants';
import type { Notice } from '../notice';
import type {
  AnswerOptions,
  CaptionOptions,
  ClassifyOptions,
  ContinueTextOptions,
  InpaintOptions as EngineInpaintOptions,
  PerplexityInput as EnginePerplexityInput,
  PerplexityOptions,
  RankOptions,
  RankTextsOptions,
  ReadTextOptions,
  TaskName,
  TaskTypes,
  TextToImageOptions,
} from '../tasks/types';
import type { ConvertSettings, LoadEvent, LoadProgress, RudolphInfo } from '../worker/api';
import { Connection } from './connection';
import { modelFiles, type ModelFilesInput } from './modelFiles';
import { type Picture, PictureReader } from './pictures';
import { Task } from './task';

export interface LoadOptions {
  /**
   * Called often; also later, when a task fetches a part that only it needs, as the first picture to be read does the image encoder.
   * `plan` says, before anything is fetched, how much that will be and how much room there is.
   */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Something the user should know, e.g. that the model could not be stored. */
  readonly onNotice?: (notice: Notice) => void;
  /** Stops the load. Downloaded shards that have come in completely stay stored; of files that are being stored nothing stays. */
  readonly signal?: AbortSignal;
  /**
   * Whether the model is kept in this browser's storage; true by default. Without, a converted folder runs from its files, and a
   * checkpoint, which is converted into storage, is refused.
   */
  readonly store?: boolean;
  /** What the files of a checkpoint do not say themselves: a name, the preset, special tokens. */
  readonly convert?: ConvertSettings;
  /** Kernels: `auto` (default) takes what the adapter can do, `base` needs no optional feature. */
  readonly variants?: VariantChoice;
  /** Where `worker.js` of this library lies, if not beside the module that starts it; relative to the page. */
  readonly workerUrl?: string | URL;
}

/** What every task takes beside its own options. */
export interface TaskOptions {
  /** Cancels the task. */
  readonly signal?: AbortSignal;
}

/** A picture, of which the centre square is read, or the d² image tokens of one (`codebooks` of another result). */
export type PictureOrTokens = Picture | readonly number[];

/** `mask`: white pixels are drawn anew, everything else is kept; or d×d values 0 (keep) and 1 (draw). */
export type InpaintOptions = Omit<EngineInpaintOptions, 'mask'> & { readonly mask?: PictureOrTokens };

export type PerplexityInput = Omit<EnginePerplexityInput, 'image'> & { readonly image?: PictureOrTokens };

type TaskOf<T extends TaskName> = Task<TaskTypes[T]['event'], TaskTypes[T]['result']>;

/**
 * A RUDOLPH model in a worker of its own, ready to draw and to describe.
 *
 * ```ts
 * import { Rudolph, toBlob } from 'rudolph-web';
 *
 * const rudolph = await Rudolph.load('https://example.org/models/rudolph/', {
 *   onProgress: ({ loadedBytes, totalBytes }) => (bar.value = loadedBytes / totalBytes),
 * });
 * const { images } = await rudolph.textToImage('красный круг слева от синего квадрата');
 * img.src = URL.createObjectURL(await toBlob(images[0]));
 * rudolph.dispose();
 * ```
 *
 * Tasks may be started while others run; they wait for their turn. One runs at a time and none is interrupted. Next is the one that came
 * first, save that scores (`perplexity`, `classify`, rankings) go before texts that came up to 5 seconds earlier, and both before pictures
 * that were ordered up to 20 seconds earlier.
 *
 * When the worker dies, tasks that run or wait reject with a RudolphError `worker`; the next task starts another one, which takes the
 * model from this browser's storage. When the graphics device is lost, the task goes on on another one and tells so by a notice.
 */
export class Rudolph {
  /** The adapter, the kernels in use, and what the model says about itself. */
  readonly info: RudolphInfo;
  #connection: Connection;
  /** The same model in another worker. */
  readonly #reopen: () => Promise<Connection>;
  #reopening: Promise<Connection> | null = null;
  #disposed: DOMException | null = null;

  private constructor(connection: Connection, info: RudolphInfo, reopen: () => Promise<Connection>) {
    this.#connection = connection;
    this.info = info;
    this.#reopen = reopen;
  }

  /**
   * Opens a model from an address or from files, and puts it on the GPU.
   *
   * An address: the web model is downloaded (or taken from this browser's storage, then without any network), and every byte
   * checked. An interrupted download continues where it was; tabs that load the same model share one download.
   *
   * Files: a converted model's folder, whose shards are checked and stored, or upstream's checkpoint, which is converted in the
   * worker and stored, shard by shard. Afterwards `info.model.url` is a `local:…` address, which loads the model without its
   * files. What was stored when the load ended early is removed.
   *
   * ```ts
   * const mine = await Rudolph.load(input.files); // pytorch_model.bin, vqgan….ckpt, bpe.model
   * const again = await Rudolph.load(mine.info.model.url);
   * ```
   * @param from the folder with `rudolph.json`, or the address of a `…/rudolph.json`, relative to the page; the `url` of a
   * `StoredModel`; or files, see `ModelFilesInput` (and `inspectFiles`, which says what is missing).
   * @throws RudolphError `no-webgpu`, `download`, `bad-model`, `out-of-memory`, `device-lost`, `worker`; for files also `bad-input`,
   * `bad-checkpoint`, `storage` (where there is no room: `details` have `neededBytes`, `freeBytes`, `missingBytes`); the signal's reason.
   */
  static async load(from: string | URL | ModelFilesInput, options: LoadOptions = {}): Promise<Rudolph> {
    options.signal?.throwIfAborted();
    const given = typeof from === 'string' || from instanceof URL ? absolute(from) : await modelFiles(from);
    options.signal?.throwIfAborted();
    const { variants, store, convert } = options;
    let asked = false;
    const onEvent = (event: LoadEvent): void => {
      if (event.type === 'notice') return options.onNotice?.(event);
      const { progress } = event;
      // Only a window may ask, and only what takes long to get is worth asking for.
      const { stage, fromCache, loadedBytes } = progress;
      const comes = stage === 'copy' || stage === 'convert' || (stage === 'download' && !fromCache);
      if (!asked && store !== false && comes && loadedBytes > 0) {
        asked = true;
        void askToPersist();
      }
      options.onProgress?.(progress);
    };
    const open = async (source: typeof given, signal?: AbortSignal): Promise<[Connection, RudolphInfo]> => {
      const connection = new Connection(options.workerUrl);
      try {
        const settings = {
          ...(variants === undefined ? {} : { variants }),
          ...(store === undefined ? {} : { store }),
          ...(convert === undefined ? {} : { convert }),
        };
        return [connection, await connection.load(source, settings, onEvent, signal)];
      } catch (error) {
        connection.dispose(error);
        throw error;
      }
    };
    const [connection, info] = await open(given, options.signal);
    // Files that were stored need not be read again.
    return new Rudolph(connection, info, async () => (await open(info.model.url || given))[0]);
  }

  /**
   * Draws pictures from a Russian text.
   *
   * ```ts
   * const task = rudolph.textToImage('кот слева от ёлки', { count: 4, seed: 1 });
   * for await (const event of task) if (event.type === 'preview') show(event.images);
   * const { images, seed } = await task;
   * ```
   *
   * Rejects with a RudolphError: `bad-input` for an empty prompt or options out of range, `device-lost`, `out-of-memory`.
   */
  textToImage(prompt: string, options: TextToImageOptions & TaskOptions = {}): TaskOf<'textToImage'> {
    return this.#start('textToImage', options, (own) => [prompt, own]);
  }

  /**
   * Draws part of a picture anew: what a mask marks, or all but the borders that are kept.
   *
   * ```ts
   * await rudolph.inpaint(photo, 'кот слева от ёлки', { mask: canvas }); // white is drawn anew
   * await rudolph.inpaint(photo, 'кот слева от ёлки', { borders: { up: 8 } }); // keeps the upper 8 rows of tokens
   * ```
   *
   * Rejects as `textToImage` and `caption` do, and with `bad-input` where nothing is left to draw.
   */
  inpaint(picture: PictureOrTokens, prompt: string, options: InpaintOptions & TaskOptions = {}): TaskOf<'inpaint'> {
    return this.#start('inpaint', options, async ({ mask, ...own }, reader) => {
      // A mask is read as the engine reads tokens: pixels, or numbers.
      const read = mask === undefined ? {} : { mask: await reader.read(mask) };
      return [await reader.read(picture), prompt, { ...own, ...read }];
    });
  }

  /**
   * Describes a picture in Russian. The first task that reads a picture's pixels fetches the image encoder.
   *
   * ```ts
   * const { texts } = await rudolph.caption(input.files[0], { count: 8 });
   * ```
   *
   * Rejects with a RudolphError: `bad-input` for an unreadable picture or options out of range, `unsupported` when the model
   * has no image encoder, and what `load` rejects with.
   */
  caption(picture: PictureOrTokens, options: CaptionOptions & TaskOptions = {}): TaskOf<'caption'> {
    return this.#start('caption', options, async (own, reader) => [await reader.read(picture), own]);
  }

  /**
   * Answers a question about a picture, or without one (`null`) about the question's own text, or a sum (`kind: 'maths'`).
   *
   * ```ts
   * const { texts } = await rudolph.answer('что стоит слева?', photo);
   * ```
   *
   * Rejects as `caption` does.
   */
  answer(
    question: string,
    picture: PictureOrTokens | null = null,
    options: AnswerOptions & TaskOptions = {},
  ): TaskOf<'answer'> {
    return this.#start('answer', options, async (own, reader) => [
      question,
      picture === null ? null : await reader.read(picture),
      own,
    ]);
  }

  /** Reads the text in a picture. Rejects as `caption` does. */
  readText(picture: PictureOrTokens, options: ReadTextOptions & TaskOptions = {}): TaskOf<'readText'> {
    return this.#start('readText', options, async (own, reader) => [await reader.read(picture), own]);
  }

  /**
   * Says which of some classes a picture shows, without having been trained on them.
   *
   * ```ts
   * const { class: found, probabilities } = await rudolph.classify(photo, ['кот', 'собака', 'ёлка']);
   * ```
   *
   * Rejects as `caption` does, and with `bad-input` for no classes or a template without `{}`.
   */
  classify(
    picture: PictureOrTokens,
    classes: readonly string[],
    options: ClassifyOptions & TaskOptions = {},
  ): TaskOf<'classify'> {
    return this.#start('classify', options, async (own, reader) => [await reader.read(picture), classes, own]);
  }

  /** Continues a Russian text. Rejects with `bad-input` for a text that leaves no room or options out of range. */
  continueText(text: string, options: ContinueTextOptions & TaskOptions = {}): TaskOf<'continueText'> {
    return this.#start('continueText', options, (own) => [text, own]);
  }

  /** Ranks pictures by how well they fit a text. Rejects as `caption` does. */
  rankImages(
    text: string,
    pictures: readonly PictureOrTokens[],
    options: RankOptions & TaskOptions = {},
  ): TaskOf<'rankImages'> {
    return this.#start('rankImages', options, async (own, reader) => {
      const read = [];
      // A FileList is one, too; what is no list is an empty one, which the engine refuses.
      const list = Symbol.iterator in Object(pictures) ? pictures : [];
      for (const picture of list) read.push(await reader.read(picture));
      return [text, read, own];
    });
  }

  /** Ranks texts by how well they fit a picture. Rejects as `caption` does. */
  rankTexts(
    picture: PictureOrTokens,
    texts: readonly string[],
    options: RankTextsOptions & TaskOptions = {},
  ): TaskOf<'rankTexts'> {
    return this.#start('rankTexts', options, async (own, reader) => [await reader.read(picture), texts, own]);
  }

  /**
   * How surprising a sequence is to the model: left text, a picture, right text, or a part of these.
   *
   * ```ts
   * const { left } = await rudolph.perplexity({ left: 'кот слева от ёлки' });
   * ```
   */
  perplexity(input: PerplexityInput, options: PerplexityOptions & TaskOptions = {}): TaskOf<'perplexity'> {
    return this.#start('perplexity', options, async (own, reader) => {
      const { image, ...texts } = input ?? {}; // nothing to score, says the engine
      return [{ ...texts, ...(image === undefined ? {} : { image: await reader.read(image) }) }, own];
    });
  }

  /** Ends the worker and frees the GPU. Tasks that still run or wait reject with an `AbortError`. */
  dispose(): void {
    this.#disposed ??= new DOMException('the model was disposed of', 'AbortError');
    this.#connection.dispose(this.#disposed);
  }

  /** The worker, or another one where it died. */
  async #connected(): Promise<Connection> {
    if (this.#connection.closed && !this.#disposed) {
      this.#reopening ??= this.#reopen().finally(() => (this.#reopening = null));
      this.#connection = await this.#reopening;
      if (this.#disposed) this.#connection.dispose(this.#disposed);
    }
    return this.#connection;
  }

  #start<T extends TaskName, Options extends TaskOptions>(
    task: T,
    { signal, ...own }: Options,
    prepare: (
      own: Omit<Options, 'signal'>,
      reader: PictureReader,
    ) => TaskTypes[T]['args'] | Promise<TaskTypes[T]['args']>,
  ): TaskOf<T> {
    return new Task(async (stop, emit) => {
      const reader = new PictureReader(stop);
      const args = await prepare(own, reader);
      const connection = await this.#connected();
      return connection.run(task, args, emit, { signal: stop, transfer: reader.transfer });
    }, signal);
  }
}

/** Relative to the page: the worker would resolve against its own address. */
export function absolute(url: string | URL): string {
  try {
    return new URL(url, globalThis.location?.href).href;
  } catch (cause) {
    throw new RudolphError(
      'bad-input',
      `${String(url)} is no web address: give the folder of a model, e.g. "models/rudolph/"`,
      {},
      { cause },
    );
  }
}

/** Asks the browser not to evict the model when the disk gets full; a refusal does no harm. */
async function askToPersist(): Promise<void> {
  try {
    await globalThis.navigator?.storage?.persist?.();
  } catch {
    // Not allowed here, e.g. in a sandboxed frame.
  }
}
