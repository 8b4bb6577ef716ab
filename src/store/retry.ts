import { RudolphError } from '../errors';

/** Waits between the tries at one file, in milliseconds: four tries in about seven seconds. */
const BACK_OFF_MS = [500, 1500, 5000];
/** A host that asks for more patience than this is not waited for. */
const MOST_WAIT_MS = 60_000;
/** A connection that brings nothing for so long is given up and tried again. */
const STALL_MS = 30_000;
/** Who brings so much may fail as often again: on a bad line a large file needs many connections. */
const PROGRESS_BYTES = 256 * 1024;

export interface TryOptions {
  readonly signal?: AbortSignal;
  /** How messages name the file, e.g. `shard 7 of 24 (ab12….bin)`. */
  readonly label: string;
  /** The waits between tries; for tests, and empty for a single try. */
  readonly backOff?: readonly number[];
  readonly stallMs?: number;
}

/** Worth another try, `waitMs` from now at the earliest: the network or the host may recover. */
export class Transient extends Error {
  readonly waitMs: number;

  constructor(message: string, waitMs = 0) {
    super(message);
    this.waitMs = waitMs;
  }
}

/**
 * Runs `once` until it succeeds, with waits between that grow and scatter a little, lest many tabs ask in step. Gives up after as many
 * tries without progress as there are waits, and one more.
 * @param once gets the try's own signal, aborted at its end whatever the end: an answer that nobody reads on must not go on coming.
 * It calls `heard` for whatever comes from the host, with the count of bytes that are new.
 * @throws RudolphError `download`, with `details.tries`; what `once` throws that is not `Transient`; the signal's reason.
 */
export async function retrying<T>(
  url: string,
  options: TryOptions,
  once: (signal: AbortSignal, heard: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const { signal, label, backOff = BACK_OFF_MS, stallMs = STALL_MS } = options;
  let failures = 0; // since the last progress
  let progress = 0;
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const heard = (bytes: number): void => {
      progress += bytes;
      clearTimeout(timer);
      timer = setTimeout(() => ended.abort(new Transient('the host stopped sending')), stallMs);
    };
    const forward = (): void => ended.abort(signal!.reason);
    signal?.addEventListener('abort', forward, { once: true });
    heard(0);
    try {
      return await once(ended.signal, heard);
    } catch (error) {
      signal?.throwIfAborted();
      const stalled = ended.signal.reason instanceof Transient ? ended.signal.reason : null;
      const transient = error instanceof Transient ? error : stalled;
      if (!transient) throw error;
      if (progress >= PROGRESS_BYTES) failures = progress = 0;
      const wait = backOff[failures++];
      if (wait === undefined || transient.waitMs > MOST_WAIT_MS) {
        const later = Math.ceil(transient.waitMs / 1000);
        throw new RudolphError(
          'download',
          `${label} could not be fetched from ${url}: ${transient.message} (${tries} ${tries === 1 ? 'try' : 'tries'}). ${later > 0 ? `The host asks to wait ${later} s: load again then` : 'Check the connection and load again'}; what is already here is kept`,
          { url, tries, ...(later > 0 ? { retryAfterSeconds: later } : {}) },
          { cause: error },
        );
      }
      await sleep(Math.max(wait * (0.75 + Math.random() / 2), transient.waitMs), signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', forward);
      ended.abort();
    }
  }
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
