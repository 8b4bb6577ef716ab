import { RudolphError } from '../errors';

/** Waits between the tries at one file, in milliseconds: four tries in about seven seconds. */
const BACK_OFF_MS = [500, 1500, 5000];
/** A connection that brings nothing for so long is given up and tried again. */
const STALL_MS = 30_000;

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  readonly cache?: RequestCache;
  /** How messages name the file, e.g. `shard 7 of 24 (ab12….bin)`. */
  readonly label: string;
  /** Bytes of this try so far; starts again at 0 when a try failed. */
  readonly onBytes?: (bytes: number) => void;
  /** For tests: the waits between tries. */
  readonly backOff?: readonly number[];
  readonly stallMs?: number;
}

/** Worth another try: the network or the host may recover. */
class Transient extends Error {}

/**
 * Fetches a file of known length, with tries anew after failures that may pass (dropped connection, stall, 408, 429, 5xx).
 * @throws RudolphError `download` (network, HTTP status, an HTML page instead of the file) or `bad-model` (wrong length); the
 * signal's reason.
 */
export async function downloadFile(url: string, byteLength: number, options: DownloadOptions): Promise<ArrayBuffer> {
  const { label } = options;
  return withRetries(url, options, async (signal, alive) => {
    const response = await request(url, { signal, cache: options.cache ?? 'default' });
    checkResponse(response, url, label);
    const bytes = new Uint8Array(byteLength);
    let at = 0;
    const reader = response.body!.getReader();
    for (;;) {
      const { done, value } = await read(reader);
      if (done) break;
      alive();
      if (at === 0 && looksLikeHtml(value)) throw htmlError(url, label);
      if (at + value.byteLength > byteLength) {
        await reader.cancel().catch(() => undefined);
        throw lengthError(url, label, byteLength, `more than ${byteLength}`);
      }
      bytes.set(value, at);
      at += value.byteLength;
      options.onBytes?.(at);
    }
    if (at === byteLength) return bytes.buffer;
    // Content-Length tells a file that is short on the host from a connection that was cut; compressed answers have none.
    if (Number(response.headers.get('content-length')) === at && !response.headers.has('content-encoding')) {
      throw lengthError(url, label, byteLength, String(at));
    }
    throw new Transient(`${at} of ${byteLength} bytes arrived`);
  });
}

/** Fetches a text; like `downloadFile`, but of any length and with one try where `backOff` is empty. */
export async function downloadText(url: string, options: DownloadOptions): Promise<string> {
  return withRetries(url, options, async (signal) => {
    const response = await request(url, { signal, cache: options.cache ?? 'no-cache' });
    checkResponse(response, url, options.label);
    try {
      return await response.text();
    } catch (error) {
      throw new Transient(messageOf(error));
    }
  });
}

async function withRetries<T>(
  url: string,
  options: DownloadOptions,
  once: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const waits = options.backOff ?? BACK_OFF_MS;
  for (let attempt = 0; ; attempt++) {
    options.signal?.throwIfAborted();
    const stall = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => stall.abort(new Transient('the host stopped sending')), options.stallMs ?? STALL_MS);
    };
    const forward = () => stall.abort(options.signal!.reason);
    options.signal?.addEventListener('abort', forward, { once: true });
    alive();
    try {
      return await once(stall.signal, alive);
    } catch (error) {
      options.signal?.throwIfAborted();
      const transient =
        error instanceof Transient ? error : stall.signal.reason instanceof Transient ? stall.signal.reason : null;
      if (!transient) throw error;
      const wait = waits[attempt];
      if (wait === undefined) {
        throw new RudolphError(
          'download',
          `${options.label} could not be fetched from ${url}: ${transient.message} (${attempt + 1} ${attempt === 0 ? 'try' : 'tries'}). Check the connection and load again; what is already here is kept`,
          { url, tries: attempt + 1 },
          { cause: error },
        );
      }
      await sleep(wait, options.signal);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', forward);
    }
  }
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    // fetch says TypeError for everything between a pulled cable and a missing CORS header.
    if (error instanceof TypeError) throw new Transient(`the host did not answer (${messageOf(error)})`);
    throw error;
  }
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw new Transient(`the connection broke (${messageOf(error)})`);
  }
}

function checkResponse(response: Response, url: string, label: string): void {
  const { status } = response;
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    throw new Transient(`the host answered ${status}`);
  if (!response.ok || !response.body) {
    throw new RudolphError(
      'download',
      `${label} is not on the host: ${url} answered ${status}. Check the model's address, or that all its files were uploaded`,
      {
        url,
        status,
      },
    );
  }
  if (/^text\/html\b/i.test(response.headers.get('content-type') ?? '')) throw htmlError(url, label);
}

function htmlError(url: string, label: string): RudolphError {
  return new RudolphError(
    'download',
    `${label}: ${url} answered with an HTML page instead of the file. The file is missing on the host (its error page came), or a network's sign-in page got between`,
    { url },
  );
}

function lengthError(url: string, label: string, expected: number, found: string): RudolphError {
  return new RudolphError(
    'bad-model',
    `${label} has ${found} bytes on the host, the manifest says ${expected}. Upload the model's folder anew, as the converter wrote it`,
    {
      url,
      expected,
    },
  );
}

function looksLikeHtml(bytes: Uint8Array): boolean {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 64)).trimStart().toLowerCase();
  return start.startsWith('<!doctype html') || start.startsWith('<html');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
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
