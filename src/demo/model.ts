import {
  type ConvertSettings,
  type LoadPlan,
  type LoadProgress,
  type ModelFile,
  type Notice,
  Rudolph,
  RudolphError,
} from '../index';

export type LoadState =
  | { readonly type: 'loading'; readonly progress: LoadProgress | null; readonly plan?: LoadPlan | undefined }
  /** `fetching`: a task needs a part that was not loaded yet. */
  | { readonly type: 'ready'; readonly rudolph: Rudolph; readonly fetching: LoadProgress | null }
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly error: unknown };

/** The one model of the page: loads it, loads it again, and lets others wait for it. */
export class Model {
  readonly #own: string;
  #from: string | readonly ModelFile[];
  #convert: ConvertSettings = {};
  /** Models that were opened from files. */
  #opened = 0;
  /** Something worth telling that is no error. */
  onNotice: (notice: Notice) => void = () => undefined;
  #state: LoadState = { type: 'stopped' };
  #loading: AbortController | null = null;
  readonly #listeners = new Set<(state: LoadState) => void>();

  /** @param url what is opened first @param own the page's own model */
  constructor(url: string, own: string) {
    this.#from = url;
    this.#own = new URL(own, location.href).href;
  }

  /** Tells models apart: the address, if there is one. '' while none is ready. */
  get id(): string {
    if (this.#state.type !== 'ready') return '';
    return this.#state.rudolph.info.model.url || `files ${this.#opened}`;
  }

  /** Whether the open model is the one that the page comes with. */
  get isPagesOwn(): boolean {
    return this.id === this.#own;
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
    Rudolph.load(this.#from, { convert: this.#convert, onProgress, onNotice, signal: loading.signal }).then(
      (rudolph) => {
        // Another model has taken its place in this very moment.
        if (this.#loading !== loading) return rudolph.dispose();
        // Its files have been stored: if it has to be loaded again, it is there.
        this.#from = rudolph.info.model.url || this.#from;
        this.#set({ type: 'ready', rudolph, fetching: null });
      },
      (error: unknown) => {
        if (this.#loading !== loading) return;
        this.#set(loading.signal.aborted ? { type: 'stopped' } : { type: 'failed', error });
      },
    );
  }

  /**
   * Gives up the open model, and what it works at, for the one that these files make.
   * @param name of a checkpoint; '': the one that it gets by itself
   */
  open(files: readonly ModelFile[], name: string): void {
    const before = this.#state;
    this.#loading?.abort();
    this.#loading = null;
    this.#from = files;
    this.#convert = name === '' ? {} : { name };
    this.#opened++;
    this.#set({ type: 'stopped' });
    // Two of them might be more than the graphics card holds.
    if (before.type === 'ready') before.rudolph.dispose();
    this.load();
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
