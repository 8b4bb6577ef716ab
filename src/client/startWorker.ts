// oxlint-disable-next-line import/default -- the worker's address, which Vite makes
import workerFile from '../worker/worker?worker&url';
import { RudolphError } from '../errors';

/** A worker that has been started, and from where. */
interface StartedWorker {
  readonly worker: Worker;
  readonly address: string;
  /** Whether the page's own origin serves the script. */
  readonly ownOrigin: boolean;
}

/**
 * Starts the worker. Browsers run workers only from the page's own origin; where the library lies elsewhere, a module of one line
 * that imports the script is run instead. It lives in a blob, which a Content-Security-Policy has to allow, hence only there.
 * @param from where the script is, relative to the page; by default beside this module.
 */
export function startWorker(from: string | URL = workerFile): StartedWorker {
  const address = addressOf(from);
  // Not `location.origin`: a sandboxed frame has an address, but an origin that equals no other.
  const ownOrigin = new URL(address).origin === globalThis.origin;
  const script = ownOrigin ? address : blobImporting(address);
  try {
    return { worker: new Worker(script, { type: 'module', name: 'rudolph' }), address, ownOrigin };
  } catch (cause) {
    throw new RudolphError('worker', whyNotStarted(address, ownOrigin), {}, { cause });
  }
}

/** All that is known of a worker that fails without a word. */
export function whyNotStarted(address: string, ownOrigin: boolean): string {
  const hint = ownOrigin
    ? 'is it there, is it JavaScript, and does the Content-Security-Policy allow it in worker-src?'
    : 'it is on another origin: does its host send Access-Control-Allow-Origin, and does the Content-Security-Policy allow both blob: and that host in worker-src?';
  return `the worker could not be started: ${address} did not load (${hint})`;
}

/** Kept for as long as the page lives: browsers differ in when they are done with it. One a script, whatever is loaded how often. */
const blobs = new Map<string, string>();

function blobImporting(address: string): string {
  const known = blobs.get(address);
  if (known !== undefined) return known;
  const module = new Blob([`import ${JSON.stringify(address)};`], { type: 'text/javascript' });
  const made = URL.createObjectURL(module);
  blobs.set(address, made);
  return made;
}

function addressOf(url: string | URL): string {
  try {
    return new URL(url, globalThis.location?.href).href;
  } catch (cause) {
    throw new RudolphError('bad-input', `workerUrl is no web address: ${String(url)}`, {}, { cause });
  }
}
