import { type LoadProgress, type ModelFile, modelFiles, type ModelFilesInput, Rudolph, RudolphError } from '../index';

/** An engine that nobody on the page has any more is kept this long: a widget may only be moved. */
const GRACE_MILLISECONDS = 2000;

/** Told of a load's progress, and of parts that a task fetches later. */
type Watcher = (progress: LoadProgress) => void;

/** Files of a model, taken when they were given. */
export type TakenFiles = Promise<readonly ModelFile[]>;

const taken = new WeakMap<object, TakenFiles>();

/** Takes files now: a drop is empty later. The same ones are the same model. */
export function takeFiles(input: ModelFilesInput): TakenFiles {
  const before = taken.get(input);
  if (before) return before;
  const files = modelFiles(input);
  files.catch(() => undefined); // whoever starts a run is told
  taken.set(input, files);
  return files;
}

/** One engine for all widgets with the same model. */
export class SharedModel {
  static readonly #all = new Map<string, SharedModel>();
  static readonly #ofFiles = new WeakMap<TakenFiles, SharedModel>();

  /** The page's one for these addresses, which are relative to it. Nothing is loaded yet. */
  static of(model: string | TakenFiles, workerUrl: string): SharedModel {
    if (typeof model !== 'string') {
      const known = this.#ofFiles.get(model) ?? new SharedModel(model, workerUrl);
      this.#ofFiles.set(model, known);
      return known;
    }
    const key = JSON.stringify([model, workerUrl].map((url) => url && resolved(url)));
    let shared = this.#all.get(key);
    if (!shared) this.#all.set(key, (shared = new SharedModel(model, workerUrl)));
    return shared;
  }

  #model: string | TakenFiles;
  readonly #workerUrl: string;
  #rudolph: Rudolph | null = null;
  #loading: { readonly promise: Promise<Rudolph>; readonly controller: AbortController } | null = null;
  #waiting = 0;
  readonly #watchers = new Set<Watcher>();
  readonly #users = new Set<object>();

  private constructor(model: string | TakenFiles, workerUrl: string) {
    this.#model = model;
    this.#workerUrl = workerUrl;
  }

  get rudolph(): Rudolph | null {
    return this.#rudolph;
  }

  /** Keeps the engine for as long as somebody uses it. */
  use(user: object): void {
    this.#users.add(user);
  }

  /** The engine goes with its last user. */
  leave(user: object): void {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    setTimeout(() => {
      if (this.#users.size === 0) this.#drop();
    }, GRACE_MILLISECONDS);
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * The engine, loaded if need be. Who stops waiting stops the load only if nobody else waits for it.
   * @throws what `Rudolph.load` throws, or the signal's reason.
   */
  async ready(signal: AbortSignal): Promise<Rudolph> {
    signal.throwIfAborted();
    if (this.#rudolph) return this.#rudolph;
    const { promise, controller } = (this.#loading ??= this.#load());
    this.#waiting++;
    let stop = (): void => undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason as Error);
      signal.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([promise, stopped]);
    } finally {
      signal.removeEventListener('abort', stop);
      if (--this.#waiting === 0 && this.#loading?.controller === controller) {
        this.#loading = null;
        controller.abort();
      }
    }
  }

  /** Told of what a task failed with: some errors leave an engine that is of no more use, and the next run needs a new one. */
  noteFailure(error: unknown): void {
    if (error instanceof RudolphError && error.code === 'device-lost') this.#drop();
  }

  #load(): { promise: Promise<Rudolph>; controller: AbortController } {
    const controller = new AbortController();
    const onProgress = (progress: LoadProgress): void => {
      for (const watcher of this.#watchers) watcher(progress);
    };
    const promise = Promise.resolve(this.#model)
      .then((from) =>
        Rudolph.load(from, {
          onProgress,
          signal: controller.signal,
          ...(this.#workerUrl ? { workerUrl: this.#workerUrl } : {}),
        }),
      )
      .then((rudolph) => {
        // Files have been stored: another time they are not needed.
        this.#model = rudolph.info.model.url || this.#model;
        // Stopped in the moment in which it was done: nobody would ever dispose of it.
        if (this.#loading?.controller !== controller) rudolph.dispose();
        else this.#rudolph = rudolph;
        return rudolph;
      });
    promise.catch(() => undefined);
    return { promise, controller };
  }

  #drop(): void {
    this.#rudolph?.dispose();
    this.#rudolph = null;
  }
}

function resolved(url: string): string {
  try {
    return new URL(url, document.baseURI).href;
  } catch {
    return url; // the library says what is wrong with it
  }
}
