import { type LoadPlan, type LoadProgress, type Notice, Rudolph, RudolphError } from '../index';

export type LoadState =
  | { readonly type: 'loading'; readonly progress: LoadProgress | null; readonly plan?: LoadPlan | undefined }
  /** `fetching`: a task needs a part that was not loaded yet. */
  | { readonly type: 'ready'; readonly rudolph: Rudolph; readonly fetching: LoadProgress | null }
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly error: unknown };

/** The one model of the page: loads it, loads it again, and lets others wait for it. */
export class Model {
  readonly url: string;
  /** Something worth telling that is no error. */
  onNotice: (notice: Notice) => void = () => undefined;
  #state: LoadState = { type: 'stopped' };
  #loading: AbortController | null = null;
  readonly #listeners = new Set<(state: LoadState) => void>();

  constructor(url: string) {
    this.url = url;
  }

  get state(): LoadState {
    return this.#state;
  }

  /** Calls back now and at every change, until the returned function is called. */
  watch(listener: (state: LoadState) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  /** Starts loading, unless it is under way or done. */
  load(): void {
    if (this.#state.type === 'loading' || this.#state.type === 'ready') return;
    const loading = new AbortController();
    this.#loading = loading;
    this.#set({ type: 'loading', progress: null });
    const onProgress = (progress: LoadProgress): void => {
      if (this.#loading !== loading) return;
      if (this.#state.type === 'loading')
        this.#set({ type: 'loading', progress, plan: progress.plan ?? this.#state.plan });
      else if (this.#state.type === 'ready') {
        const complete = progress.totalBytes > 0 && progress.loadedBytes >= progress.totalBytes;
        this.#set({ ...this.#state, fetching: complete ? null : progress });
      }
    };
    const onNotice = (notice: Notice): void => this.onNotice(notice);
    Rudolph.load(this.url, { onProgress, onNotice, signal: loading.signal }).then(
      (rudolph) => this.#set({ type: 'ready', rudolph, fetching: null }),
      (error: unknown) => this.#set(loading.signal.aborted ? { type: 'stopped' } : { type: 'failed', error }),
    );
  }

  /** Stops loading; what arrived is kept for the next time. */
  cancel(): void {
    this.#loading?.abort();
  }

  /** Told of every task that did not end well: after some errors the model has to be loaded anew. */
  noteFailure(error: unknown): void {
    if (this.#state.type !== 'ready') return;
    // It may have left a part half fetched.
    if (this.#state.fetching) this.#set({ ...this.#state, fetching: null });
    if (!(error instanceof RudolphError) || error.code !== 'device-lost') return;
    this.#state.rudolph.dispose();
    this.#set({ type: 'failed', error });
  }

  /**
   * The model, as soon as it is there. Starts loading when it was stopped or has failed.
   * @throws the error of the load, or the signal's reason.
   */
  async ready(signal: AbortSignal): Promise<Rudolph> {
    signal.throwIfAborted();
    this.load();
    let stop = (): void => undefined;
    try {
      return await new Promise<Rudolph>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        stop = this.watch((state) => {
          if (state.type === 'ready') resolve(state.rudolph);
          else if (state.type === 'failed') reject(state.error as Error);
          else if (state.type === 'stopped') reject(new DOMException('loading was stopped', 'AbortError'));
        });
      });
    } finally {
      stop();
    }
  }

  #set(state: LoadState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}
