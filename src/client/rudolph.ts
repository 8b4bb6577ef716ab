import { RudolphError } from '../errors';
import type { GpuOptions } from '../gpu/device';
import type { RgbaImage } from '../image/image';
import type {
  CaptionEvent,
  CaptionOptions,
  CaptionResult,
  TextToImageEvent,
  TextToImageOptions,
  TextToImageResult,
} from '../tasks/types';
import type { LoadProgress, RudolphInfo } from '../worker/api';
import { Connection } from './connection';
import { type Picture, readPicture } from './pictures';
import { Task } from './task';

export interface LoadOptions {
  /** Called often; also later, when the first caption fetches the image encoder. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Something the user should know, e.g. that the model could not be stored. */
  readonly onNotice?: (message: string) => void;
  /** Stops the load. Shards that have come in completely stay stored. */
  readonly signal?: AbortSignal;
  /** Kernels: `auto` (default) takes what the adapter can do, `base` needs no optional feature. */
  readonly variants?: GpuOptions['variants'];
}

/** What every task takes beside its own options. */
export interface TaskOptions {
  /** Cancels the task. */
  readonly signal?: AbortSignal;
}

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
 * Tasks may be started while others run; they wait for their turn.
 */
export class Rudolph {
  /** The adapter, the kernels in use, and what the model says about itself. */
  readonly info: RudolphInfo;
  readonly #connection: Connection;

  private constructor(connection: Connection, info: RudolphInfo) {
    this.#connection = connection;
    this.info = info;
  }

  /**
   * Downloads a web model (or takes it from this browser's storage, then without any network), checks every byte and puts it on
   * the GPU. An interrupted download continues where it was; tabs that load the same model share one download.
   * @param url the folder with `rudolph.json`, or the address of a `…/rudolph.json`; relative to the page.
   * @throws RudolphError `no-webgpu`, `download`, `bad-model`, `out-of-memory`, `device-lost`, `worker`; the signal's reason.
   */
  static async load(url: string | URL, options: LoadOptions = {}): Promise<Rudolph> {
    options.signal?.throwIfAborted();
    const address = absolute(url);
    const connection = new Connection();
    let asked = false;
    try {
      const info = await connection.load(
        address,
        options.variants === undefined ? {} : { variants: options.variants },
        (event) => {
          if (event.type === 'notice') return options.onNotice?.(event.message);
          const { progress } = event;
          // Only a window may ask, and only a download is worth asking for.
          if (!asked && progress.stage === 'download' && !progress.fromCache && progress.loadedBytes > 0) {
            asked = true;
            void askToPersist();
          }
          options.onProgress?.(progress);
        },
        options.signal,
      );
      return new Rudolph(connection, info);
    } catch (error) {
      connection.dispose(error);
      throw error;
    }
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
  textToImage(
    prompt: string,
    options: TextToImageOptions & TaskOptions = {},
  ): Task<TextToImageEvent, TextToImageResult> {
    const { signal, ...own } = options;
    return new Task((stop, emit) => this.#connection.run('textToImage', [prompt, own], emit, { signal: stop }), signal);
  }

  /**
   * Describes a picture in Russian. The first call fetches the image encoder.
   *
   * ```ts
   * const { texts } = await rudolph.caption(input.files[0], { count: 8 });
   * ```
   *
   * Rejects with a RudolphError: `bad-input` for an unreadable picture or options out of range, `unsupported` when the model
   * has no image encoder, and what `load` rejects with.
   */
  caption(picture: Picture, options: CaptionOptions & TaskOptions = {}): Task<CaptionEvent, CaptionResult> {
    const { signal, ...own } = options;
    return new Task(async (stop, emit) => {
      const read = await readPicture(picture, stop);
      const { width, height, data } = read;
      const image: RgbaImage = { width, height, data };
      // Pixels that were decoded here can be given away, the caller's cannot.
      const transfer = read === picture ? [] : [data.buffer];
      return this.#connection.run('caption', [image, own], emit, { signal: stop, transfer });
    }, signal);
  }

  /** Ends the worker and frees the GPU. Tasks that still run or wait reject with an `AbortError`. */
  dispose(): void {
    this.#connection.dispose(new DOMException('the model was disposed of', 'AbortError'));
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
