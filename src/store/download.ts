import { RudolphError } from '../errors';
import { retrying, Transient, type TryOptions } from './retry';

/** No manifest is longer; the largest model's has about 100 kB. */
const MOST_TEXT = 32 * 1024 * 1024;
/**
 * Bytes of a file that come in before they are given to `onPart`. Three shards are fetched at once: a kill loses 6 MiB and what is in
 * transit, less than a shard.
 */
const PART_BYTES = 2 * 1024 * 1024;

export interface DownloadOptions extends TryOptions {
  readonly cache?: RequestCache;
}

export interface FileOptions extends DownloadOptions {
  /** Bytes of the beginning that are here so far, in whatever try. */
  readonly onBytes?: (bytes: number) => void;
  /** The file's first bytes, from an earlier download: only the rest is asked for, where the host answers ranges. */
  readonly beginning?: readonly ArrayBuffer[];
  /** Is given further bytes, once there are `partBytes` of them, to be kept for a later `beginning`; the download waits for it. */
  readonly onPart?: (offset: number, bytes: ArrayBuffer) => Promise<void>;
  readonly partBytes?: number;
}

/**
 * Fetches a file of known length, with tries anew after failures that may pass (dropped connection, stall, 408, 429, 5xx). What has come
 * is kept: the next try asks for the rest (`Range`), and once more for everything where the host does not answer that.
 * @throws RudolphError `download` (network, HTTP status, an HTML page instead of the file) or `bad-model` (wrong length); the
 * signal's reason.
 */
export async function downloadFile(url: string, byteLength: number, options: FileOptions): Promise<ArrayBuffer> {
  const { label, onPart, partBytes = PART_BYTES } = options;
  const bytes = new Uint8Array(byteLength);
  let here = 0; // bytes of the beginning that have come
  for (const part of options.beginning ?? []) {
    if (here + part.byteLength > byteLength) break;
    bytes.set(new Uint8Array(part), here);
    here += part.byteLength;
  }
  let kept = here; // of these, in the caller's hands
  let asksForRest = true;
  await retrying(url, options, async (signal, heard) => {
    if (here === byteLength) return;
    const from = asksForRest ? here : 0;
    // A host may drop such requests, and where browsers ask it first whether they are allowed, it may not say so.
    asksForRest = from === 0;
    const headers = from > 0 ? { headers: { range: `bytes=${from}-` } } : {};
    const response = await request(url, { signal, cache: options.cache ?? 'default', ...headers });
    let at = startOf(response, from);
    checkResponse(response, url, label);
    asksForRest = true;
    const first = at;
    for await (const chunk of chunksOf(response, signal)) {
      heard(Math.max(0, at + chunk.byteLength - here));
      if (at === 0 && looksLikeHtml(chunk)) throw htmlError(url, label);
      if (at + chunk.byteLength > byteLength) throw lengthError(url, label, byteLength, `more than ${byteLength}`);
      bytes.set(chunk, at);
      at += chunk.byteLength;
      if (at <= here) continue;
      here = at;
      options.onBytes?.(here);
      if (onPart && here - kept >= partBytes && here < byteLength) {
        await onPart(kept, bytes.slice(kept, here).buffer);
        kept = here;
        heard(0);
      }
    }
    if (at === byteLength) return;
    // Content-Length tells a file that is short on the host from a connection that was cut; compressed answers have none.
    if (Number(response.headers.get('content-length')) === at - first && !response.headers.has('content-encoding'))
      throw lengthError(url, label, byteLength, String(at));
    throw new Transient(`${at} of ${byteLength} bytes arrived`);
  });
  return bytes.buffer;
}

/** Fetches a text of any length, with tries anew like `downloadFile`. */
export async function downloadText(url: string, options: DownloadOptions): Promise<string> {
  return retrying(url, options, async (signal, heard) => {
    const response = await request(url, { signal, cache: options.cache ?? 'no-cache' });
    checkResponse(response, url, options.label);
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of chunksOf(response, signal)) {
      heard(chunk.byteLength);
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MOST_TEXT) {
        throw new RudolphError(
          'bad-model',
          `${options.label}: ${url} is longer than ${MOST_TEXT >> 20} MiB; it is no manifest of a web model. Check the model's address`,
          { url },
        );
      }
    }
    return text + decoder.decode();
  });
}

async function request(url: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
  try {
    return await unlessAborted(fetch(url, init), init.signal);
  } catch (error) {
    // fetch says TypeError for everything between a pulled cable and a missing CORS header.
    if (error instanceof TypeError) throw new Transient(`the host did not answer (${messageOf(error)})`);
    throw error;
  }
}

/** The body as it comes in. Whatever ends the loop early also ends the connection. */
async function* chunksOf(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await unlessAborted(reader.read(), signal);
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw signal.aborted ? error : new Transient(`the connection broke (${messageOf(error)})`);
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** Does not rely on fetch for it: Node 20's may forget its signal once the answer has begun. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Where in the file an answer begins, when the bytes from `from` on were asked for. */
function startOf({ status, headers }: Response, from: number): number {
  if (from === 0 || status === 200) return 0; // many hosts answer with the whole file
  if (status === 416) throw new Transient(`the host has nothing behind byte ${from}`);
  // Hidden where the host is another origin and does not expose it.
  const said = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '');
  if (said && Number(said[1]) !== from)
    throw new Transient(`the host sent the file from byte ${said[1]} on, not ${from}`);
  return from;
}

function checkResponse(response: Response, url: string, label: string): void {
  const { status } = response;
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    throw new Transient(`the host answered ${status}`, retryAfter(response.headers));
  if (!response.ok || !response.body) {
    throw new RudolphError(
      'download',
      `${label} is not on the host: ${url} answered ${status}. Check the model's address, or that all its files were uploaded`,
      { url, status },
    );
  }
  if (/^text\/html\b/i.test(response.headers.get('content-type') ?? '')) throw htmlError(url, label);
}

/** Milliseconds that the host wants to be left alone for, which it gives as seconds or as a date; 0 where it does not say. */
function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after')?.trim() ?? '';
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return milliseconds > 0 ? milliseconds : 0;
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
    { url, expected },
  );
}

function looksLikeHtml(bytes: Uint8Array): boolean {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 64)).trimStart().toLowerCase();
  return start.startsWith('<!doctype html') || start.startsWith('<html');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
