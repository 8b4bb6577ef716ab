/** Unread events of these types are replaced by the next one; all others are kept. */
const REPLACEABLE: ReadonlySet<string> = new Set(['progress', 'preview', 'drafts']);

/**
 * A running task. It has begun already; await it for the result, iterate it for what happens meanwhile, or both:
 *
 * ```ts
 * const task = rudolph.textToImage('красный круг');
 * for await (const event of task) {
 *   if (event.type === 'preview') show(event.images);
 * }
 * const { images } = await task;
 * ```
 *
 * Leaving the loop early (`break`, `return`, an error) cancels the task; so do `cancel()` and the `signal` in its options.
 * A cancelled task rejects at once, with the signal's reason or an `AbortError`. A reader slower than the task finds only the
 * newest progress, preview and drafts; pictures and notices are never lost. Who begins to iterate late gets the same summary
 * of what happened before; several readers get all events each.
 */
export class Task<Event extends { readonly type: string }, Result>
  implements PromiseLike<Result>, AsyncIterable<Event>
{
  readonly #result: Promise<Result>;
  readonly #controller = new AbortController();
  /** What a reader who begins now should get first. */
  readonly #history: Event[] = [];
  readonly #readers = new Set<Reader<Event>>();
  /** How it ended; null while it runs. */
  #end: End | null = null;

  /**
   * @param run begins at once; must stop when its signal says so.
   * @param signal the caller's.
   * @internal
   */
  constructor(
    run: (signal: AbortSignal, emit: (event: Event) => void) => Promise<Result>,
    signal?: AbortSignal | undefined,
  ) {
    const own = this.#controller.signal;
    const stop = (): void => this.#controller.abort(signal?.reason);
    this.#result = new Promise<Result>((resolve, reject) => {
      const end = (how: End): boolean => {
        if (this.#end) return false;
        this.#end = how;
        signal?.removeEventListener('abort', stop);
        for (const reader of this.#readers) reader.end(how);
        this.#readers.clear();
        return true;
      };
      const fail = (error: unknown): void => {
        if (end({ error })) reject(error);
      };
      own.addEventListener('abort', () => fail(own.reason), { once: true });
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
      if (own.aborted) return;
      const emit = (event: Event): void => {
        if (this.#end) return;
        push(this.#history, event);
        for (const reader of this.#readers) reader.push(event);
      };
      // A microtask later: what `run` throws synchronously becomes a rejection, too.
      Promise.resolve()
        .then(() => run(own, emit))
        .then((result) => {
          if (end({})) resolve(result);
        }, fail);
    });
    // Whoever cancels expects the rejection: it is no unhandled error.
    own.addEventListener('abort', () => this.#expectRejection(), { once: true });
    if (own.aborted) this.#expectRejection();
  }

  /** Stops the task if it still runs; it rejects with an `AbortError`. */
  cancel(): void {
    if (!this.#end) this.#controller.abort();
  }

  // oxlint-disable-next-line unicorn/no-thenable -- being awaitable is the point
  then<A = Result, B = never>(
    onResult?: ((result: Result) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onResult, onError);
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.#result.catch(onError);
  }

  finally(onEnd?: (() => void) | null): Promise<Result> {
    return this.#result.finally(onEnd);
  }

  /** Throws the task's error after the last event. */
  [Symbol.asyncIterator](): AsyncIterator<Event, undefined> {
    this.#expectRejection(); // the reader gets it
    const reader = new Reader(this.#history);
    if (this.#end) reader.end(this.#end);
    else this.#readers.add(reader);
    return {
      next: () => reader.next(),
      return: () => {
        this.#readers.delete(reader);
        reader.stop();
        this.cancel();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #expectRejection(): void {
    this.#result.catch(() => undefined);
  }
}

interface End {
  readonly error?: unknown;
}

/** One loop's unread events. */
class Reader<Event extends { readonly type: string }> {
  readonly #unread: Event[];
  readonly #waiting: {
    resolve: (result: IteratorResult<Event, undefined>) => void;
    reject: (error: unknown) => void;
  }[] = [];
  #end: End | null = null;

  constructor(history: readonly Event[]) {
    this.#unread = [...history];
  }

  push(event: Event): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ done: false, value: event });
    else push(this.#unread, event);
  }

  end(how: End): void {
    this.#end = how;
    const [first, ...others] = this.#waiting.splice(0);
    if (first && 'error' in how) {
      first.reject(how.error);
      this.#end = {}; // thrown once, then the iteration is over
    } else first?.resolve({ done: true, value: undefined });
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }

  /** Forgets what is unread. */
  stop(): void {
    this.#unread.length = 0;
    this.end({});
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const event = this.#unread.shift();
    if (event) return Promise.resolve({ done: false, value: event });
    if (!this.#end) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const end = this.#end;
    this.#end = {};
    return 'error' in end ? Promise.reject(end.error) : Promise.resolve({ done: true, value: undefined });
  }
}

/** Appends an event; one of the same replaceable type gives way to it. */
function push<Event extends { readonly type: string }>(events: Event[], event: Event): void {
  if (REPLACEABLE.has(event.type)) {
    const old = events.findIndex(({ type }) => type === event.type);
    if (old >= 0) events.splice(old, 1);
  }
  events.push(event);
}
