import { releaseProxy, transfer } from 'comlink';
import { version } from '../../package.json';
import { RudolphError, toPlain } from '../errors';
import { inspectFiles } from '../files/openFiles';
import type { Manifest } from '../format/manifest';
import type { ModelFile } from '../format/modelFile';
import { type Gpu, requestGpu, requestGpuAgain } from '../gpu/device';
import type { GpuMemory } from '../gpu/variants';
import type { RgbaImage } from '../image/image';
import { selfTestReport } from '../model/selfTest';
import type { Notice } from '../notice';
import { openDatabases } from '../store/databases';
import { manifestUrl, openModel } from '../store/openModel';
import { storedPicks } from '../store/picks';
import type { DownloadProgress } from '../store/storedModel';
import { deleteModel, listModels } from '../store/storedModels';
import { Engine } from '../tasks/engine';
import type { TaskName, TaskTypes } from '../tasks/types';
import type {
  ConvertSettings,
  LoadEvent,
  LoadProgress,
  ModelInfo,
  Reply,
  RudolphInfo,
  WorkerApi,
  WorkerLoadOptions,
} from './api';
import { checkAddress } from './address';
import { type Opened, openOwnFiles } from './ownFiles';
import { TaskQueue } from './taskQueue';

const PRODUCER = `rudolph-web ${version}`;

interface Loaded {
  readonly gpu: Gpu;
  readonly engine: Engine;
}

/** The worker's side of `WorkerApi`: one model, tasks one after the other. */
export class WorkerHost implements WorkerApi {
  #loaded: Loaded | null = null;
  readonly #aborts = new Map<number, AbortController>();
  /** Ends when the load has ended, be it by cleaning up. */
  #loading: Promise<unknown> = Promise.resolve();
  readonly #queue = new TaskQueue();
  /** Ends the load. */
  readonly #closing = new AbortController();
  /** Where notices go while a task runs: to the task. */
  #onNotice: ((notice: Notice) => void) | null = null;

  async load(
    from: string | readonly ModelFile[],
    options: WorkerLoadOptions,
    onEvent: (event: LoadEvent) => void,
  ): Promise<Reply<RudolphInfo>> {
    const loading = reply(() => this.#load(from, options, onEvent));
    this.#loading = loading;
    return loading;
  }

  async start<T extends TaskName>(
    id: number,
    task: T,
    args: TaskTypes[T]['args'],
    onEvent: (event: TaskTypes[T]['event']) => void,
  ): Promise<Reply<TaskTypes[T]['result']>> {
    const controller = new AbortController();
    this.#aborts.set(id, controller);
    const { signal } = controller;
    const events = inOrder(onEvent as (event: unknown) => void);
    const result = await reply(() =>
      this.#queue.add(
        task,
        signal,
        () => this.#run(task, args, signal, events.tell) as Promise<TaskTypes[T]['result']>,
      ),
    );
    this.#aborts.delete(id);
    await events.arrived();
    events.release();
    return transfer(result, result.ok && 'images' in result.value ? buffersOf(result.value.images) : []);
  }

  abort(id: number): void {
    this.#aborts.get(id)?.abort(new DOMException('the task was cancelled', 'AbortError'));
  }

  async dispose(): Promise<void> {
    const reason = new DOMException('the model was disposed of', 'AbortError');
    this.#closing.abort(reason);
    for (const controller of this.#aborts.values()) controller.abort(reason);
    await this.#loading;
    await this.#queue.idle();
    this.#loaded?.engine.dispose();
    this.#loaded?.gpu.dispose();
    this.#loaded = null;
  }

  async holdLock(name: string): Promise<boolean> {
    if (!navigator.locks) return false;
    await new Promise<void>((resolve, reject) => {
      const hold = (): Promise<never> => {
        resolve();
        return new Promise(() => undefined);
      };
      navigator.locks.request(name, hold).catch(reject);
    });
    return true;
  }

  listModels(): ReturnType<WorkerApi['listModels']> {
    return reply(() => listModels());
  }

  deleteModel(url: string): ReturnType<WorkerApi['deleteModel']> {
    return reply(async () => {
      await deleteModel(url);
      return null;
    });
  }

  inspectFiles(files: readonly ModelFile[], settings: ConvertSettings): ReturnType<WorkerApi['inspectFiles']> {
    return reply(() => inspectFiles(files, settings, PRODUCER, openDatabases()));
  }

  async #load(
    from: string | readonly ModelFile[],
    options: WorkerLoadOptions,
    onEvent: (event: LoadEvent) => void,
  ): Promise<RudolphInfo> {
    if (this.#loaded)
      throw new RudolphError('bad-input', 'this worker has a model already; load another one with Rudolph.load');
    const { signal } = this.#closing;
    if (typeof from === 'string') checkAddress(from, location.protocol);
    // The adapter first: without one nothing needs to be downloaded or converted.
    const picks = options.store === false ? undefined : storedPicks();
    const demands = { ...options, ...(picks ? { picks } : {}) };
    let gpu = await requestGpu(navigator.gpu, demands);
    try {
      const events = inOrder(onEvent);
      let last: DownloadProgress = { loadedBytes: 0, totalBytes: 0, fromCache: false };
      let memory: GpuMemory | null = null;
      const progress = (stage: LoadProgress['stage']): void =>
        events.tell({ type: 'progress', progress: { stage, ...last, memory } });
      const onNotice = (notice: Notice): void =>
        this.#onNotice ? this.#onNotice(notice) : events.tell({ type: 'notice', ...notice });
      const opening = {
        signal,
        // Also when a later task fetches the image encoder.
        onProgress: (now: DownloadProgress) => {
          last = now;
          progress('download');
        },
        onNotice,
      };
      let opened: Opened;
      if (typeof from === 'string') {
        progress('manifest');
        const databases = options.store === false ? { databases: null } : {};
        opened = { source: await openModel(from, { ...opening, ...databases }), url: manifestUrl(from) };
      } else {
        const { convert: settings = {}, store = true } = options;
        const tell = (event: Omit<LoadProgress, 'memory'>): void =>
          events.tell({ type: 'progress', progress: { ...event, memory: null } });
        opened = await openOwnFiles(from, { gpu, opening, tell, settings, store, producer: PRODUCER });
      }
      const { source, url } = opened;
      // Converting takes long.
      if (gpu.failure.lost) gpu = await requestGpuAgain(navigator.gpu, demands, { signal });
      const engine = await Engine.load(gpu, source, {
        signal,
        renew: (stop) => requestGpuAgain(navigator.gpu, demands, stop ? { signal: stop } : {}),
        onMemory: (needed) => {
          memory = needed;
          if (typeof from === 'string') progress('manifest');
        },
        onProgress: ({ loadedBytes, totalBytes }) => {
          if (loadedBytes >= totalBytes) progress('compile');
        },
      });
      this.#loaded = { gpu, engine };
      await events.arrived();
      return {
        // The engine's, not what was asked for: a device that was lost was replaced, variants that failed the self-test are not used.
        adapter: { ...engine.model.gpu.adapter },
        variants: { ...engine.model.gpu.variants },
        memory: engine.model.memory,
        selfTest: withSurroundings(selfTestReport(engine.model.gpu)),
        model: describe(url, source.manifest),
      };
    } catch (error) {
      gpu.dispose();
      throw error;
    }
  }

  async #run(
    task: TaskName,
    args: TaskTypes[TaskName]['args'],
    signal: AbortSignal,
    tell: (event: unknown) => void,
  ): Promise<unknown> {
    const { engine } = this.#model();
    this.#onNotice = (notice) => tell({ type: 'notice', ...notice });
    try {
      // Each task's own types meet again at `start`.
      const run = engine[task] as (...all: unknown[]) => Promise<unknown>;
      return await run.call(engine, ...args, { signal, onEvent: tell });
    } finally {
      this.#onNotice = null;
    }
  }

  #model(): Loaded {
    if (!this.#loaded) throw new RudolphError('bad-input', 'no model is loaded');
    return this.#loaded;
  }
}

/**
 * A proxied callback. Its calls go through a port of their own, so an answer could overtake them: `arrived` resolves when the
 * last one was heard.
 */
function inOrder<Event>(callback: (event: Event) => void) {
  let last: unknown;
  return {
    tell: (event: Event): void => {
      last = callback(event);
    },
    arrived: async (): Promise<void> => {
      await Promise.resolve(last).catch(() => undefined);
    },
    release: (): void => {
      (callback as { [releaseProxy]?: () => void })[releaseProxy]?.();
    },
  };
}

function describe(url: string, manifest: Manifest): ModelInfo {
  const { name, description, attribution, examples, config, specialTokens, imageTokenizer, producer, components } =
    manifest;
  return {
    url,
    name,
    ...(description ? { description } : {}),
    ...(attribution ? { attribution } : {}),
    ...(examples ? { examples } : {}),
    config,
    specialTokens,
    imageTokenizer,
    producer,
    components: Object.fromEntries(Object.entries(components).map(([part, { byteLength }]) => [part, byteLength])),
  };
}

/** The pixels' buffers, each once: a buffer cannot be transferred twice. */
function buffersOf(images: readonly RgbaImage[]): ArrayBuffer[] {
  return [...new Set(images.map((image) => image.data.buffer))];
}

async function reply<T>(work: () => Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: toPlain(known(error)) };
  }
}

/** Errors as the client should get them: an unexpected one with a code, too, and a report with what only the worker knows. */
function known(error: unknown): unknown {
  if (error instanceof RudolphError) {
    const { code, message, details } = error;
    if (typeof details['report'] !== 'string') return error;
    return new RudolphError(code, message, { ...details, report: withSurroundings(details['report']) });
  }
  if (error instanceof DOMException && error.name === 'AbortError') return error;
  const { name = 'Error', message = String(error), stack = '' } = error instanceof Error ? error : {};
  return new RudolphError(
    'worker',
    `the engine met an error that nobody expected (${name}: ${message}); please report it`,
    { name, stack, report: withSurroundings(stack || message) },
    { cause: error },
  );
}

/** The beginning of a report that a user can copy into an issue. */
function withSurroundings(report: string): string {
  return `${PRODUCER}\nbrowser: ${navigator.userAgent}\n${report}`;
}
