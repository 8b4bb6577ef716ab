import { proxy, type Remote, wrap } from 'comlink';
// oxlint-disable-next-line import/default -- the worker's address, which Vite makes
import storeWorker from './storeWorker?worker&url';
import { Rudolph, RudolphError } from '../../../src/index';
import { isIntact, shardBytes } from '../../../src/store/databases';
import type { ReadResult, StoreApi } from './storeWorker';

/*
 * The page of the fault suite in Chromium, driven from Node: workers that have only the store, and the whole library. What it offers is
 * `window.faults`.
 */

/** What a whole load and a task gave. */
export interface DrawResult {
  readonly problem: { readonly code: string | null; readonly message: string } | null;
  readonly codebook: readonly number[];
  readonly notices: readonly string[];
}

/** With their handles: Comlink ends the conversation when one is collected. */
const workers = new Map<string, { readonly worker: Worker; readonly store: Remote<StoreApi> }>();

function storeOf(name: string): Remote<StoreApi> {
  let started = workers.get(name);
  if (!started) {
    const worker = new Worker(new URL(storeWorker, import.meta.url), { type: 'module', name });
    started = { worker, store: wrap<StoreApi>(worker) };
    workers.set(name, started);
  }
  return started.store;
}

/** The library's workers, to be ended behind its back. */
const engines: Worker[] = [];
globalThis.Worker = class extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    if (args[1]?.name === 'rudolph') engines.push(this);
  }
};

function ask<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error!));
  });
}

/** Rejects where there is no such database. */
function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name);
  request.addEventListener('upgradeneeded', () => request.transaction!.abort());
  return ask(request);
}

/** All keys and values of what the store calls shards; nothing where there is no such database. */
async function storedShards(): Promise<[string, unknown][]> {
  const database = await open('rudolph-shards').catch(() => null);
  if (!database) return [];
  try {
    const store = database.transaction('shards').objectStore('shards');
    const [keys, values] = await Promise.all([ask(store.getAllKeys()), ask<unknown[]>(store.getAll())]);
    return keys.map((key, i) => [String(key), values[i]]);
  } finally {
    database.close();
  }
}

const faults = {
  /** @param name of the worker that does it; started where there is none */
  read: (name: string, url: string, settings: Parameters<StoreApi['read']>[1] = {}): Promise<ReadResult> =>
    storeOf(name).read(url, settings, proxy(window.reportLoaded)),

  remove: (name: string, url: string): Promise<void> => storeOf(name).remove(url),

  list: (name: string): Promise<readonly string[]> => storeOf(name).list(),

  /** Ends a worker in the middle of whatever it does. */
  end(name: string): void {
    workers.get(name)?.worker.terminate();
    workers.delete(name);
  },

  /** Ends the library's workers, without the library's doing. */
  endEngines(): void {
    for (const engine of engines.splice(0)) engine.terminate();
  },

  /** Loads the model with the whole library and draws greedily. */
  async draw(url: string, prompt: string): Promise<DrawResult> {
    const notices: string[] = [];
    try {
      const rudolph = await Rudolph.load(url, { onNotice: ({ code }) => notices.push(code) });
      try {
        const { codebooks } = await rudolph.textToImage(prompt, { topK: 1, seed: 0 });
        return { problem: null, codebook: codebooks[0]!, notices };
      } finally {
        rudolph.dispose();
      }
    } catch (error) {
      const { message } = error as Error;
      return { problem: { code: error instanceof RudolphError ? error.code : null, message }, codebook: [], notices };
    }
  },

  /** Keys of stored shards that are not what their name says, and of everything that is stored. */
  async scan(): Promise<{ damaged: string[]; keys: string[] }> {
    const stored = await storedShards();
    const damaged: string[] = [];
    for (const [key, value] of stored) {
      if (key.includes('+')) continue;
      const intact = await isIntact(await shardBytes(value), key);
      if (!intact) damaged.push(key);
    }
    return { damaged, keys: stored.map(([key]) => key) };
  },

  /** Flips a bit in some stored shards. @param positions a number for each shard; null leaves it alone */
  async damage(positions: readonly (number | null)[]): Promise<void> {
    const stored = await Promise.all(
      (await storedShards()).map(async ([key, value]) => [key, await shardBytes(value)] as const),
    );
    const database = await open('rudolph-shards');
    const transaction = database.transaction('shards', 'readwrite');
    stored.forEach(([key, value], i) => {
      const position = positions[i % positions.length];
      if (position === null || position === undefined || !(value instanceof ArrayBuffer)) return;
      const bytes = new Uint8Array(value);
      bytes[position % bytes.byteLength]! ^= 4;
      transaction.objectStore('shards').put(value, key);
    });
    await new Promise((resolve) => transaction.addEventListener('complete', resolve));
    database.close();
  },
};

declare global {
  interface Window {
    faults: typeof faults;
    /** Tells Node how far a read has come, whatever becomes of the page. */
    reportLoaded: (bytes: number) => void;
  }
}
window.faults = faults;
