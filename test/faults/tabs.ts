import { AsyncLocalStorage } from 'node:async_hooks';
import type { UseStore } from 'idb-keyval';
import type { Databases, StoredManifest } from '../../src/store/databases';
import { openStore } from '../../src/store/openStore';
import type { Random } from '../support/random';

/*
 * Browser tabs in one Node process: each has its own connections, requests and locks, and can be killed at any byte or write. Of a dead
 * tab nothing reaches the host or the storage any more: whatever its code waits for never comes.
 */

export const KILLED = Symbol('killed');

/** What goes wrong in the storage of all tabs. */
export interface Storage {
  /** Thrown instead of a transaction; null: nothing is wrong. */
  fail: ((mode: IDBTransactionMode) => unknown) | null;
  /** Bytes that may still be written. */
  left: number;
  /** Whether `navigator.storage.estimate` knows of it: a disk that fills up does not show there. */
  told: boolean;
}

const running = new AsyncLocalStorage<Tab>();
const never = (): Promise<never> => new Promise(() => undefined);
/** Network chunks are cut to this: a kill can come at any of their ends. */
export const CHUNK_BYTES = 1024;

export class Tab {
  dead = false;
  /** It is killed after so many bytes of answers, or at so many writes. */
  bytesLeft = Infinity;
  writesLeft = Infinity;
  /** Bytes of shards that came in. */
  delivered = 0;
  readonly databases: Databases;
  readonly #random: Random;
  readonly #locks: Locks;
  readonly #storage: Storage;
  readonly #transactions = new Set<IDBTransaction>();
  readonly #connections = new Set<AbortController>();
  #bury: (killed: typeof KILLED) => void = () => undefined;
  readonly #buried = new Promise<typeof KILLED>((resolve) => (this.#bury = resolve));

  constructor(random: Random, locks: Locks, storage: Storage) {
    this.#random = random;
    this.#locks = locks;
    this.#storage = storage;
    this.databases = {
      shards: this.#gate(openStore('rudolph-shards', 'shards')),
      manifests: this.#gate(openStore('rudolph-manifests', 'manifests')),
    };
  }

  /** Runs work in this tab. */
  run<T>(work: () => Promise<T>): Promise<T | typeof KILLED> {
    return Promise.race([this.#buried, running.run(this, work)]);
  }

  kill(): void {
    if (this.dead) return;
    this.dead = true;
    for (const connection of this.#connections) connection.abort(new Error('the tab was killed'));
    for (const transaction of this.#transactions) {
      if (this.#random.chance(0.5)) continue; // it was on its way to the disk
      try {
        transaction.abort();
      } catch {
        // over already
      }
    }
    this.#locks.release(this);
    this.#bury(KILLED);
  }

  async fetch(real: typeof fetch, input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    if (this.dead) return never();
    // Not `AbortSignal.any`: in Node 20 such a signal may be collected before it fires.
    const connection = new AbortController();
    init.signal?.throwIfAborted();
    this.#connections.add(connection);
    init.signal?.addEventListener('abort', () => connection.abort(init.signal!.reason));
    let response: Response;
    try {
      response = await real(input, { ...init, signal: connection.signal });
    } catch (error) {
      if (this.dead) return never();
      throw error;
    }
    if (this.dead) return never();
    const { status, headers, body } = response;
    return new Response(body && this.#pace(body, String(input).endsWith('.bin')), { status, headers });
  }

  /** The body in small chunks, up to the byte at which the tab is killed. */
  #pace(body: ReadableStream<Uint8Array>, counts: boolean): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let rest = new Uint8Array(0);
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      while (rest.byteLength === 0) {
        let result: ReadableStreamReadResult<Uint8Array>;
        try {
          result = await reader.read();
        } catch (error) {
          if (this.dead) return never();
          throw error;
        }
        if (this.dead) return never();
        if (result.done) return controller.close();
        rest = new Uint8Array(result.value);
      }
      const chunk = rest.subarray(0, Math.min(CHUNK_BYTES, this.bytesLeft));
      rest = rest.subarray(chunk.byteLength);
      this.bytesLeft -= chunk.byteLength;
      if (counts) this.delivered += chunk.byteLength;
      if (chunk.byteLength > 0) controller.enqueue(chunk);
      if (this.bytesLeft > 0) return;
      // A moment later: the last bytes are still seen, and perhaps written.
      await new Promise((resolve) => setTimeout(resolve, this.#random.whole(0, 2)));
      this.kill();
      return never();
    };
    return new ReadableStream({ pull, cancel: (reason) => reader.cancel(reason) }, { highWaterMark: 0 });
  }

  #gate(store: UseStore): UseStore {
    return async (mode, callback) => {
      if (this.dead) return never();
      const error = this.#storage.fail?.(mode) ?? null;
      if (error !== null) throw error;
      const dies =
        mode === 'readwrite' && --this.writesLeft < 0 ? this.#random.pick(['before', 'during', 'after']) : '';
      if (dies === 'before') {
        this.kill();
        return never();
      }
      let transaction: IDBTransaction | undefined;
      try {
        const result = await store(mode, (objects) => {
          transaction = objects.transaction;
          this.#transactions.add(transaction);
          const answer = callback(this.#metered(objects));
          if (dies === 'during') this.kill();
          return answer;
        });
        if (dies === 'after') this.kill();
        return this.dead ? await never() : result;
      } catch (thrown) {
        if (this.dead) return never();
        throw thrown;
      } finally {
        if (transaction) this.#transactions.delete(transaction);
      }
    };
  }

  /** An object store that is full at some time. */
  #metered(objects: IDBObjectStore): IDBObjectStore {
    const storage = this.#storage;
    const refund = (what: IDBValidKey | IDBKeyRange): void => {
      const request = objects.getAll(what);
      request.onsuccess = () => {
        for (const value of request.result as unknown[]) storage.left += sizeOf(value);
      };
    };
    const changed = {
      put: (value: unknown, key: IDBValidKey) => {
        if (sizeOf(value) > storage.left) throw new DOMException('there is no room', 'QuotaExceededError');
        refund(key);
        storage.left -= sizeOf(value);
        return objects.put(value, key);
      },
      delete: (what: IDBValidKey | IDBKeyRange) => {
        refund(what);
        return objects.delete(what);
      },
    };
    return new Proxy(objects, {
      get: (target, name) => {
        if (name === 'put' || name === 'delete') return changed[name];
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }
}

/** What a stored value takes. */
function sizeOf(value: unknown): number {
  if (value instanceof ArrayBuffer) return value.byteLength;
  if (value instanceof Blob) return value.size;
  const { text = '', previous } = (value ?? {}) as Partial<StoredManifest>;
  return text.length + (previous?.text.length ?? 0);
}

interface Waiting {
  readonly tab: Tab;
  readonly grant: () => void;
}

/** Web Locks between tabs: exclusive, first come, first served. */
export class Locks {
  readonly #held = new Map<string, Tab>();
  readonly #waiting = new Map<string, Waiting[]>();

  get held(): string[] {
    return [...this.#held.keys()];
  }

  async request<T>(
    name: string,
    options: { signal?: AbortSignal; ifAvailable?: boolean },
    callback: (lock: { name: string } | null) => Promise<T>,
  ): Promise<T> {
    const tab = running.getStore();
    if (!tab) throw new Error(`the lock ${name} was asked for outside of a tab`);
    if (tab.dead) return never();
    options.signal?.throwIfAborted();
    if (this.#held.has(name)) {
      if (options.ifAvailable) return callback(null);
      await this.#turn(name, tab, options.signal);
    }
    this.#held.set(name, tab);
    try {
      return await callback({ name });
    } finally {
      if (this.#held.get(name) === tab) this.#pass(name);
    }
  }

  /** All that a dead tab holds or waits for. */
  release(tab: Tab): void {
    for (const [name, waiting] of this.#waiting)
      this.#waiting.set(
        name,
        waiting.filter((other) => other.tab !== tab),
      );
    for (const name of this.held) if (this.#held.get(name) === tab) this.#pass(name);
  }

  #turn(name: string, tab: Tab, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(name) ?? [];
      const entry = { tab, grant: resolve };
      this.#waiting.set(name, [...waiting, entry]);
      signal?.addEventListener('abort', () => {
        const now = this.#waiting.get(name) ?? [];
        if (!now.includes(entry)) return;
        this.#waiting.set(
          name,
          now.filter((other) => other !== entry),
        );
        reject(signal.reason as Error);
      });
    });
  }

  #pass(name: string): void {
    this.#held.delete(name);
    const [next, ...others] = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, others);
    if (!next) return;
    this.#held.set(name, next.tab);
    next.grant();
  }
}

/** Gives the process what a browser has: `fetch`, Web Locks and storage as the running tab sees them. Returns what undoes it. */
export function installBrowser(locks: () => Locks, estimate: () => StorageEstimate): () => void {
  const { fetch: real } = globalThis;
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  globalThis.fetch = (input, init) => running.getStore()?.fetch(real, input, init) ?? real(input, init);
  const navigator = {
    locks: { request: (...call: Parameters<Locks['request']>) => locks().request(...call) },
    storage: { estimate: async () => estimate() },
  };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  return () => {
    globalThis.fetch = real;
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  };
}
