import { proxy, releaseProxy, type Remote, transfer, wrap } from 'comlink';
import { fromPlain, RudolphError } from '../errors';
import type { TaskName, TaskTypes } from '../tasks/types';
import type { ModelFile } from '../format/modelFile';
import type {
  ConvertSettings,
  FilesReport,
  LoadEvent,
  Reply,
  RudolphInfo,
  StoredModel,
  WorkerApi,
  WorkerLoadOptions,
} from '../worker/api';
import { startWorker, whyNotStarted } from './startWorker';

/**
 * A worker and the calls that wait for it. When the worker dies, all of them reject, and so does every later call: whoever has a
 * connection makes another one.
 */
export class Connection {
  readonly #worker: Worker;
  readonly #api: Remote<WorkerApi>;
  readonly #waiting = new Set<(error: unknown) => void>();
  readonly #watch = new AbortController();
  #closed: unknown = null;
  #lastId = 0;

  constructor(workerUrl?: string | URL) {
    const { worker, address, ownOrigin } = startWorker(workerUrl);
    this.#worker = worker;
    this.#api = wrap<WorkerApi>(this.#worker);
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      const what = event.message ? `the worker failed: ${event.message}` : whyNotStarted(address, ownOrigin);
      this.#close(new RudolphError('worker', `${what}; try again`, { file: event.filename, line: event.lineno }));
    });
    this.#worker.addEventListener('messageerror', () => {
      this.#close(new RudolphError('worker', 'a message of the worker could not be read; try again'));
    });
    void this.#watchDeath();
  }

  /** Whether the worker is gone. */
  get closed(): boolean {
    return this.#closed !== null;
  }

  load(
    from: string | readonly ModelFile[],
    options: WorkerLoadOptions,
    onEvent: (event: LoadEvent) => void,
    signal?: AbortSignal,
  ): Promise<RudolphInfo> {
    // There is nothing to keep yet: the quickest way to stop is to end the worker. But what was stored of own files has to go.
    const stop = (): void => (typeof from === 'string' ? this.#close(signal?.reason) : this.dispose(signal?.reason));
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    return this.#call<RudolphInfo>(() => this.#api.load(from, options, proxy(onEvent))).finally(() => {
      signal?.removeEventListener('abort', stop);
    });
  }

  async run<T extends TaskName>(
    task: T,
    args: TaskTypes[T]['args'],
    onEvent: (event: TaskTypes[T]['event']) => void,
    options: { readonly signal: AbortSignal; readonly transfer?: Transferable[] },
  ): Promise<TaskTypes[T]['result']> {
    const id = ++this.#lastId;
    const stop = (): void => {
      if (this.#closed === null) void this.#api.abort(id);
    };
    options.signal.throwIfAborted();
    options.signal.addEventListener('abort', stop, { once: true });
    try {
      return await this.#call<TaskTypes[T]['result']>(() => {
        // Comlink's types lose the type parameter.
        const start = this.#api.start as unknown as (...call: unknown[]) => Promise<Reply<TaskTypes[T]['result']>>;
        return start(id, task, transfer([...args], options.transfer ?? []), proxy(onEvent));
      });
    } finally {
      options.signal.removeEventListener('abort', stop);
    }
  }

  listModels(): Promise<readonly StoredModel[]> {
    return this.#call<readonly StoredModel[]>(() => this.#api.listModels());
  }

  deleteModel(url: string): Promise<null> {
    return this.#call<null>(() => this.#api.deleteModel(url));
  }

  inspectFiles(files: readonly ModelFile[], settings: ConvertSettings, signal?: AbortSignal): Promise<FilesReport> {
    const stop = (): void => this.#close(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    return this.#call<FilesReport>(() => this.#api.inspectFiles(files, settings)).finally(() =>
      signal?.removeEventListener('abort', stop),
    );
  }

  /** A worker that the browser kills sends no event; but a Web Lock that it held becomes free. */
  async #watchDeath(): Promise<void> {
    const locks = globalThis.navigator?.locks;
    if (!locks) return;
    const name = `rudolph-web worker ${crypto.randomUUID()}`;
    try {
      if (!(await this.#api.holdLock(name))) return;
      await locks.request(name, { signal: this.#watch.signal }, () => undefined);
    } catch {
      return; // no locks here (sandboxed frame), or disposed of meanwhile
    }
    this.#close(
      new RudolphError(
        'worker',
        'the browser ended the worker, most likely for want of memory: close other tabs and try again',
      ),
    );
  }

  /** Ends the worker; what still waits rejects with `reason`. */
  dispose(reason: unknown): void {
    if (this.#closed !== null) return;
    const ended = this.#api.dispose();
    this.#reject(reason);
    // It frees the device in order; a worker that hangs is ended all the same.
    const terminate = (): void => {
      clearTimeout(timer);
      this.#terminate();
    };
    const timer = setTimeout(terminate, 1000);
    ended.then(terminate, terminate);
  }

  #call<T>(call: () => Promise<Reply<T>>): Promise<T> {
    if (this.#closed !== null) return Promise.reject(this.#closed as Error);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      call()
        .then((reply) => (reply.ok ? resolve(reply.value) : reject(fromPlain(reply.error))), reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  #close(reason: unknown): void {
    if (this.#closed !== null) return;
    this.#reject(reason);
    this.#terminate();
  }

  #reject(reason: unknown): void {
    this.#closed = reason;
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
  }

  #terminate(): void {
    this.#watch.abort();
    this.#api[releaseProxy]();
    this.#worker.terminate();
  }
}
