import { RudolphError } from '../errors';
import type { ComponentName, Manifest, ShardEntry } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import { sha256 } from '../format/sha256';
import type { Notice } from '../notice';
import { type Databases, isQuotaError, readShard, removeShard, writeShard } from './databases';
import { downloadFile } from './download';
import { isLocal } from './localModel';
import { webLocks } from './locks';

/** How far the shards of the expected components have come. */
export interface DownloadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Nothing has come over the network so far. */
  readonly fromCache: boolean;
}

export interface StoredModelOptions {
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** What is less than perfect, e.g. that nothing can be stored. */
  readonly onNotice?: (notice: Notice) => void;
  /** For tests: the waits between tries. */
  readonly backOff?: readonly number[];
}

/** Shards fetched ahead of the one that is asked for: keeps the connection busy while the GPU takes what is here. */
const READ_AHEAD = 2;

/** A model on a host with IndexedDB before it, or (`local:…`) in IndexedDB alone. */
export class StoredModel implements ModelSource {
  readonly manifest: Manifest;
  readonly #url: string;
  readonly #databases: Databases | null;
  readonly #options: StoredModelOptions;
  readonly #all: readonly ShardEntry[];
  /** False once the quota was hit: the rest is used without being kept. */
  #keeps: boolean;
  #order: readonly ShardEntry[] = [];
  #loaded = new Map<string, number>();
  #fromCache = true;
  #pending = new Map<string, Promise<ArrayBuffer>>();

  constructor(
    url: string,
    manifest: Manifest,
    databases: Databases | null,
    keeps: boolean,
    options: StoredModelOptions,
  ) {
    this.#url = url;
    this.manifest = manifest;
    this.#databases = databases;
    this.#keeps = keeps && databases !== null;
    this.#options = options;
    this.#all = Object.values(manifest.components).flatMap((component) => component?.shards ?? []);
  }

  /** Says which components are read next and in which order: progress counts from 0 over them, and shards are fetched ahead. */
  expect(components: readonly ComponentName[]): void {
    this.#order = components.flatMap((name) => this.manifest.components[name]?.shards ?? []);
    this.#loaded = new Map();
    this.#fromCache = true;
  }

  async shard(entry: ShardEntry, signal?: AbortSignal): Promise<ArrayBuffer> {
    const index = this.#order.findIndex((other) => other.sha256 === entry.sha256);
    const wanted = index < 0 ? [entry] : this.#order.slice(index, index + 1 + READ_AHEAD);
    for (const shard of wanted) {
      if (
        this.#pending.has(shard.sha256) ||
        (shard !== wanted[0] && this.#loaded.get(shard.sha256) === shard.byteLength)
      )
        continue;
      const fetched = this.#locked(shard, signal);
      fetched.catch(() => undefined); // one fetched ahead may fail before anyone asks for it
      this.#pending.set(shard.sha256, fetched);
    }
    try {
      return await this.#pending.get(entry.sha256)!;
    } finally {
      this.#pending.delete(entry.sha256);
      // What was fetched ahead for an aborted load must not be handed to the next one.
      if (signal?.aborted) this.#pending.clear();
    }
  }

  /** One tab downloads a shard, the others wait and then find it stored. */
  async #locked(entry: ShardEntry, signal: AbortSignal | undefined): Promise<ArrayBuffer> {
    signal?.throwIfAborted();
    const stored = await this.#stored(entry);
    if (stored) return stored;
    if (isLocal(this.#url)) throw this.#lost(entry);
    const locks = webLocks();
    if (!locks || !this.#keeps) return this.#download(entry, signal);
    return (await locks.request(`rudolph-shard-${entry.sha256}`, signal ? { signal } : {}, async () => {
      return (await this.#stored(entry)) ?? (await this.#download(entry, signal));
    })) as ArrayBuffer;
  }

  /** The shard from IndexedDB, if it is there and whole; a damaged one is removed. */
  async #stored(entry: ShardEntry): Promise<ArrayBuffer | null> {
    if (!this.#databases) return null;
    let bytes: ArrayBuffer | undefined;
    try {
      bytes = await readShard(this.#databases, entry.sha256);
    } catch (error) {
      this.#stopKeeping(error);
      return null;
    }
    if (bytes === undefined) return null;
    if (
      bytes instanceof ArrayBuffer &&
      bytes.byteLength === entry.byteLength &&
      (await sha256(bytes)) === entry.sha256
    ) {
      this.#count(entry, entry.byteLength);
      return bytes;
    }
    await removeShard(this.#databases, entry.sha256).catch(() => undefined);
    if (isLocal(this.#url)) throw this.#lost(entry, 'damaged in');
    this.#options.onNotice?.({
      code: 'shard-damaged',
      message: `${this.#label(entry)} was damaged in this browser's storage; it is fetched again`,
      details: { file: entry.file },
    });
    return null;
  }

  async #download(entry: ShardEntry, signal: AbortSignal | undefined): Promise<ArrayBuffer> {
    const url = new URL(entry.file, this.#url).href;
    const label = this.#label(entry);
    this.#fromCache = false;
    // The second try goes past the HTTP cache, which may be what holds the damaged copy.
    for (const cache of ['default', 'reload'] as const) {
      const bytes = await downloadFile(url, entry.byteLength, {
        ...(signal ? { signal } : {}),
        ...(this.#options.backOff ? { backOff: this.#options.backOff } : {}),
        label,
        // What IndexedDB keeps need not be kept a second time.
        cache: this.#keeps ? 'no-store' : cache,
        onBytes: (count) => this.#count(entry, Math.min(count, entry.byteLength - 1)),
      });
      if ((await sha256(bytes)) === entry.sha256) {
        await this.#keep(entry, bytes);
        this.#count(entry, entry.byteLength);
        return bytes;
      }
    }
    throw new RudolphError(
      'bad-model',
      `${label} is damaged on the host (SHA-256 differs): ${url}. Upload the model's folder anew, as the converter wrote it`,
      {
        url,
        sha256: entry.sha256,
      },
    );
  }

  async #keep(entry: ShardEntry, bytes: ArrayBuffer): Promise<void> {
    if (!this.#keeps) return;
    try {
      await writeShard(this.#databases!, entry.sha256, bytes);
    } catch (error) {
      this.#stopKeeping(error);
    }
  }

  #stopKeeping(error: unknown): void {
    if (!this.#keeps) return;
    this.#keeps = false;
    const full = isQuotaError(error);
    const reason = error instanceof Error ? error.message : String(error);
    const why = full ? 'its storage is full' : `its storage failed (${reason})`;
    this.#options.onNotice?.({
      code: full ? 'storage-full' : 'storage-failed',
      message: `this browser keeps no more of the model: ${why}. It runs all the same, but has to be fetched again next time`,
      details: full ? {} : { reason },
    });
  }

  /** A model of somebody's own files has no host: they have to be opened again, which stores only what is missing. */
  #lost(entry: ShardEntry, how = 'no longer in'): RudolphError {
    return new RudolphError(
      'bad-model',
      `${this.#label(entry)} of ${this.manifest.name} is ${how} this browser's storage; open the model's files again`,
      { url: this.#url, file: entry.file },
    );
  }

  #label(entry: ShardEntry): string {
    return `shard ${this.#all.findIndex((other) => other.file === entry.file) + 1} of ${this.#all.length} (${entry.file})`;
  }

  #count(entry: ShardEntry, bytes: number): void {
    this.#loaded.set(entry.sha256, bytes);
    let loadedBytes = 0;
    let totalBytes = 0;
    for (const shard of this.#order) {
      totalBytes += shard.byteLength;
      loadedBytes += this.#loaded.get(shard.sha256) ?? 0;
    }
    if (totalBytes > 0) this.#options.onProgress?.({ loadedBytes, totalBytes, fromCache: this.#fromCache });
  }
}
