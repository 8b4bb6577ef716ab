import { RudolphError } from '../errors';
import { type ComponentName, type Manifest, SHARD_BYTES, type ShardEntry } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import { sha256 } from '../format/sha256';
import type { Notice } from '../notice';
import {
  type Databases,
  isIntact,
  isQuotaError,
  readManifest,
  readParts,
  readShard,
  removeShard,
  shardsNamed,
  writePart,
  writeShard,
} from './databases';
import { downloadFile } from './download';
import { isLocal } from './localModel';
import { exclusively, webLocks } from './locks';
import { rememberWhole } from './versions';

/** What the expected components are going to take: known before the first of their bytes is fetched. */
export interface DownloadPlan {
  /** Bytes of the expected components, and of those what is in this browser's storage already. */
  readonly totalBytes: number;
  readonly storedBytes: number;
  /** Bytes of the whole model, with the components that only later tasks need. */
  readonly modelBytes: number;
  /** Bytes that this browser still lets the page store; null where it does not say. */
  readonly freeBytes: number | null;
  /** Whether what is fetched will be stored. */
  readonly keeps: boolean;
}

/** How far the shards of the expected components have come. */
export interface DownloadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Whether everything comes from storage, nothing from the network. */
  readonly fromCache: boolean;
  /** In the first report, before anything is fetched. */
  readonly plan?: DownloadPlan;
}

export interface StoredModelOptions {
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** What is less than perfect, e.g. that nothing can be stored. */
  readonly onNotice?: (notice: Notice) => void;
  /** For tests: the waits between tries, how long a silent host is waited for, and after how many bytes a shard's beginning is kept. */
  readonly backOff?: readonly number[];
  readonly stallMs?: number;
  readonly partBytes?: number;
}

/** A model and where its shards are. */
export interface Place {
  /** The manifest's. */
  readonly url: string;
  readonly manifest: Manifest;
  /** The manifest as it is stored. */
  readonly text: string;
  readonly databases: Databases | null;
  /** Whether what is downloaded is stored. */
  readonly keeps: boolean;
  /** What is stored already, as far as that is known. */
  readonly here?: ReadonlySet<string>;
  readonly freeBytes?: number | null;
  /** What remains free once the whole model is stored. */
  readonly spareBytes?: number | null;
}

/** Beginnings of shards are kept where this much remains free: they must not take the room of the shards. */
const SPARE_BYTES = 4 * SHARD_BYTES;
/** Shards fetched ahead of the one that is asked for: keeps the connection busy while the GPU takes what is here. */
const READ_AHEAD = 2;

/** A model on a host with IndexedDB before it, or (`local:…`) in IndexedDB alone. */
export class StoredModel implements ModelSource {
  readonly #place: Place;
  readonly #options: StoredModelOptions;
  readonly #all: readonly ShardEntry[];
  /** False once the storage failed or the model was removed from it: the rest is used without being kept. */
  #keeps: boolean;
  #expected: readonly ComponentName[] = [];
  #order: readonly ShardEntry[] = [];
  #loaded = new Map<string, number>();
  /** Shards that are in storage for sure: read from there, or written. */
  readonly #kept = new Set<string>();
  #fromCache = true;
  readonly #pending = new Map<string, Promise<ArrayBuffer>>();

  constructor(place: Place, options: StoredModelOptions) {
    this.#place = place;
    this.#keeps = place.keeps && place.databases !== null;
    this.#options = options;
    this.#all = Object.values(place.manifest.components).flatMap((component) => component?.shards ?? []);
  }

  get manifest(): Manifest {
    return this.#place.manifest;
  }

  /** Says which components are read next and in which order: progress counts from 0 over them, and shards are fetched ahead. */
  expect(components: readonly ComponentName[]): void {
    this.#expected = components;
    this.#order = components.flatMap((name) => this.manifest.components[name]?.shards ?? []);
    this.#loaded = new Map();
    const { url, here, freeBytes = null } = this.#place;
    const sum = (shards: readonly ShardEntry[]): number => shards.reduce((total, shard) => total + shard.byteLength, 0);
    const totalBytes = sum(this.#order);
    const stored = this.#order.filter(({ sha256 }) => isLocal(url) || here?.has(sha256) || this.#kept.has(sha256));
    const plan = {
      totalBytes,
      storedBytes: sum(stored),
      modelBytes: sum(this.#all),
      freeBytes,
      keeps: this.#keeps,
    };
    this.#fromCache = stored.length === this.#order.length;
    this.#options.onProgress?.({ loadedBytes: 0, totalBytes, fromCache: this.#fromCache, plan });
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
      const fetched = this.#fetch(shard, signal);
      fetched.catch(() => undefined); // one fetched ahead may fail before anyone asks for it
      this.#pending.set(shard.sha256, fetched);
    }
    try {
      const taken = this.#pending.get(entry.sha256)!;
      this.#pending.delete(entry.sha256); // whoever asks next gets bytes of its own
      const bytes = await taken;
      await this.#noteWhole();
      return bytes;
    } catch (error) {
      // What was fetched ahead for a load that failed or was aborted is stored when it is there, but not handed to the next one.
      this.#pending.clear();
      throw error;
    }
  }

  /** One tab downloads a shard, the others wait and then find it stored. */
  async #fetch(entry: ShardEntry, signal: AbortSignal | undefined): Promise<ArrayBuffer> {
    signal?.throwIfAborted();
    const locks = this.#keeps || isLocal(this.#place.url) ? webLocks() : undefined;
    const found = await this.#stored(entry, locks === undefined);
    if (found) return found;
    const fetch = async (): Promise<ArrayBuffer> => {
      const stored = locks ? await this.#stored(entry, true) : null;
      if (stored) return stored;
      if (isLocal(this.#place.url)) throw this.#lost(entry);
      return this.#download(entry, signal);
    };
    if (!locks) return fetch();
    return (await locks.request(`rudolph-shard-${entry.sha256}`, signal ? { signal } : {}, fetch)) as ArrayBuffer;
  }

  /**
   * The shard from IndexedDB, if it is there and whole.
   * @param mends whether a damaged one is removed, and told of: under the shard's lock, lest one that another tab fetched anew goes.
   */
  async #stored(entry: ShardEntry, mends: boolean): Promise<ArrayBuffer | null> {
    const { databases } = this.#place;
    if (!databases) return null;
    let bytes: unknown;
    let unreadable = false;
    try {
      bytes = await readShard(databases, entry.sha256);
    } catch {
      unreadable = true; // browsers keep large values in files of their own, which can get lost
    }
    if (bytes === undefined && !unreadable) return null;
    if (bytes instanceof ArrayBuffer && (await isIntact(bytes, entry.sha256))) {
      // Not this shard but the manifest is wrong, as the host's answer will show.
      if (bytes.byteLength !== entry.byteLength) return null;
      this.#kept.add(entry.sha256);
      this.#count(entry, entry.byteLength);
      return bytes;
    }
    if (!mends) return null;
    try {
      await removeShard(databases, entry.sha256);
    } catch (error) {
      this.#stopKeeping(error);
      if (unreadable) return null; // not the shard, the storage is broken
    }
    if (isLocal(this.#place.url)) throw this.#lost(entry, 'damaged in');
    this.#options.onNotice?.({
      code: 'shard-damaged',
      message: `${this.#label(entry)} was damaged in this browser's storage; it is fetched again`,
      details: { file: entry.file },
    });
    return null;
  }

  async #download(entry: ShardEntry, signal: AbortSignal | undefined): Promise<ArrayBuffer> {
    const { databases } = this.#place;
    const { backOff, stallMs, partBytes } = this.#options;
    const url = new URL(entry.file, this.#place.url).href;
    const label = this.#label(entry);
    this.#fromCache = false;
    const keepsParts = this.#keeps && (this.#place.spareBytes ?? Infinity) >= SPARE_BYTES;
    const keepPart = (offset: number, part: ArrayBuffer): Promise<void> =>
      this.#keep(entry, () => writePart(databases!, entry.sha256, offset, part));
    let beginning = this.#keeps ? await readParts(databases!, entry.sha256).catch(() => []) : [];
    // Twice; the second time goes past the HTTP cache, which may be what holds the damaged copy. A beginning that was damaged in storage
    // does not count.
    const caches: RequestCache[] = beginning.length > 0 ? ['default', 'default', 'reload'] : ['default', 'reload'];
    for (const cache of caches) {
      const bytes = await downloadFile(url, entry.byteLength, {
        label,
        beginning,
        ...(signal ? { signal } : {}),
        // What IndexedDB keeps need not be kept a second time.
        cache: this.#keeps ? 'no-store' : cache,
        onBytes: (count) => this.#count(entry, Math.min(count, entry.byteLength - 1)),
        ...(keepsParts ? { onPart: keepPart } : {}),
        ...(backOff ? { backOff } : {}),
        ...(stallMs ? { stallMs } : {}),
        ...(partBytes ? { partBytes } : {}),
      });
      if ((await sha256(bytes)) === entry.sha256) {
        await this.#keep(entry, async () => {
          await writeShard(databases!, entry.sha256, bytes);
          this.#kept.add(entry.sha256);
        });
        this.#count(entry, entry.byteLength);
        return bytes;
      }
      beginning = [];
      await this.#keep(entry, () => removeShard(databases!, entry.sha256));
    }
    throw new RudolphError(
      'bad-model',
      `${label} is damaged on the host (SHA-256 differs): ${url}. Upload the model's folder anew, as the converter wrote it`,
      { url, sha256: entry.sha256 },
    );
  }

  /** Changes what is stored of a shard, unless the model was removed meanwhile: nobody would ever remove what came after. */
  async #keep(entry: ShardEntry, change: () => Promise<void>): Promise<void> {
    if (!this.#keeps) return;
    try {
      const named = await exclusively(async () => {
        const record = await readManifest(this.#place.databases!, this.#place.url);
        if (!record || !shardsNamed(record).has(entry.sha256)) return false;
        await change();
        return true;
      });
      if (!named) this.#stopKeeping(null);
    } catch (error) {
      this.#stopKeeping(error);
    }
  }

  /** @param error null: the model was removed. */
  #stopKeeping(error: unknown): void {
    if (!this.#keeps) return;
    this.#keeps = false;
    const code = error === null ? 'storage-removed' : isQuotaError(error) ? 'storage-full' : 'storage-failed';
    const reason = error instanceof Error ? error.message : String(error);
    const why = {
      'storage-removed': 'it was removed from its storage while it was loading',
      'storage-full': 'its storage is full',
      'storage-failed': `its storage failed (${reason})`,
    }[code];
    this.#options.onNotice?.({
      code,
      message: `this browser keeps no more of the model: ${why}. It runs all the same, but has to be fetched again next time`,
      details: code === 'storage-failed' ? { reason } : {},
    });
  }

  /** Once all that was expected is in storage, the version before is needed no more. */
  async #noteWhole(): Promise<void> {
    if (this.#expected.length === 0 || !this.#keeps || isLocal(this.#place.url)) return;
    if (!this.#order.every(({ sha256 }) => this.#kept.has(sha256))) return;
    const { databases, url, text } = this.#place;
    const components = this.#expected;
    this.#expected = [];
    try {
      await rememberWhole(databases!, url, text, components);
    } catch (error) {
      this.#stopKeeping(error);
    }
  }

  /** A model of somebody's own files has no host: they have to be opened again, which stores only what is missing. */
  #lost(entry: ShardEntry, how = 'no longer in'): RudolphError {
    return new RudolphError(
      'bad-model',
      `${this.#label(entry)} of ${this.manifest.name} is ${how} this browser's storage; open the model's files again`,
      { url: this.#place.url, file: entry.file },
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
