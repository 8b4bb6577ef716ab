import { entries, get, keys, promisifyRequest, type UseStore } from 'idb-keyval';
import type { Manifest } from '../format/manifest';
import { sha256 as sha256Of } from '../format/sha256';
import { committed, openStore } from './openStore';

/** Where a stored model came from: an address, or somebody's own files, converted already or not. */
export type ModelOrigin = 'url' | 'folder' | 'checkpoint';

/** A version of a model: its manifest as text. */
export interface StoredVersion {
  readonly text: string;
  /** Of the text; absent in what earlier versions of the library stored. */
  readonly sha256?: string;
  /** Components that once were stored completely. Not empty: enough of the version was stored to load it without its host. */
  readonly whole?: readonly string[];
}

/** What is remembered of a model. */
export interface StoredManifest extends StoredVersion {
  readonly openedAt: number; // milliseconds since 1970
  /** Absent in what earlier versions stored: an address. */
  readonly origin?: ModelOrigin;
  /** The version before, which is kept until this one is stored as completely: without its host the model still loads. */
  readonly previous?: StoredVersion;
}

/**
 * What the store needs of IndexedDB. idb-keyval keeps one store a database, so shards and manifests are two databases;
 * tests give their own.
 */
export interface Databases {
  /**
   * Blobs (or ArrayBuffers) by SHA-256: verified before they were written. Beside these, under `<SHA-256>+<offset>`, as ArrayBuffers, the
   * beginnings of shards whose download has not ended, which nobody could verify yet.
   */
  readonly shards: UseStore;
  /** `StoredManifest` by the manifest's URL; beside these, lists of the shards of models that are being stored (`Intake`). */
  readonly manifests: UseStore;
}

let shared: Databases | null | undefined;

/** The page's databases, or null where there is no IndexedDB (some private modes, Node). */
export function openDatabases(): Databases | null {
  if (shared === undefined) {
    shared =
      typeof indexedDB === 'undefined'
        ? null
        : { shards: openStore('rudolph-shards', 'shards'), manifests: openStore('rudolph-manifests', 'manifests') };
  }
  return shared;
}

/** The bytes of a stored shard, not verified; undefined where there is none. */
export const readShard = (databases: Databases, sha256: string): Promise<unknown> =>
  databases.shards('readonly', async (store) => shardBytes(await promisifyRequest<unknown>(store.get(sha256))));

/** What was stored as a shard as an ArrayBuffer, if it is one: a Blob, or an ArrayBuffer itself (see `writeShard`). */
export const shardBytes = async (stored: unknown): Promise<unknown> =>
  stored instanceof Blob ? stored.arrayBuffer() : stored;

/** Whether what was stored as a shard is that shard still. */
export const isIntact = async (stored: unknown, hash: string): Promise<boolean> =>
  stored instanceof ArrayBuffer && (await sha256Of(stored)) === hash;

/**
 * Stores a verified shard, and in the same transaction removes its beginnings. As a Blob: of an ArrayBuffer, Chromium keeps a second copy
 * in memory each time it is read, until some garbage collection, which made the largest model's load 200 MiB more.
 */
export async function writeShard(databases: Databases, sha256: string, bytes: ArrayBuffer): Promise<void> {
  const write = (value: Blob | ArrayBuffer): Promise<void> =>
    databases.shards('readwrite', (store) => {
      store.put(value, sha256);
      store.delete(beginnings(sha256));
      return committed(store.transaction);
    });
  try {
    await write(new Blob([bytes]));
  } catch (error) {
    if (!refusesBlobs(error)) throw error;
    await write(bytes);
  }
}

/** Safari in private windows, at least up to 17, stores ArrayBuffers but no Blobs. */
const refusesBlobs = (error: unknown): boolean =>
  error instanceof Error && ['DataCloneError', 'UnknownError'].includes(error.name);

/** Removes a shard and its beginnings. */
export const removeShard = (databases: Databases, sha256: string): Promise<void> =>
  databases.shards('readwrite', (store) => {
    store.delete(sha256);
    store.delete(beginnings(sha256));
    return committed(store.transaction);
  });

export const shardKeys = async (databases: Databases): Promise<Set<string>> =>
  new Set((await keys<string>(databases.shards)).filter((key) => !key.includes('+')));

/** Whether a shard is there, without reading it. */
export const hasShard = async (databases: Databases, sha256: string): Promise<boolean> =>
  databases.shards('readonly', async (store) => (await promisifyRequest(store.count(sha256))) > 0);

/** Stores bytes of a shard whose download has not ended. */
export const writePart = (databases: Databases, sha256: string, offset: number, bytes: ArrayBuffer): Promise<void> =>
  databases.shards('readwrite', (store) => {
    store.put(bytes, `${sha256}+${String(offset).padStart(10, '0')}`);
    return committed(store.transaction);
  });

/** What is there of a shard's beginning, in order and without gaps; not verified. */
export async function readParts(databases: Databases, sha256: string): Promise<ArrayBuffer[]> {
  const range = beginnings(sha256);
  const [offsets, parts] = await databases.shards('readonly', (store) =>
    Promise.all([promisifyRequest(store.getAllKeys(range)), promisifyRequest<unknown[]>(store.getAll(range))]),
  );
  const joined: ArrayBuffer[] = [];
  let end = 0;
  for (const [i, part] of parts.entries()) {
    if (!(part instanceof ArrayBuffer) || Number(String(offsets[i]).slice(65)) !== end) break;
    joined.push(part);
    end += part.byteLength;
  }
  return joined;
}

/** Keys of the beginnings of a shard. */
function beginnings(sha256: string): IDBKeyRange {
  return IDBKeyRange.bound(`${sha256}+`, `${sha256}+~`);
}

export const readManifest = (databases: Databases, url: string): Promise<StoredManifest | undefined> =>
  get<StoredManifest>(url, databases.manifests);

/** A stored manifest without versions whose text was damaged in storage; undefined where none is left. */
export async function undamaged(stored: StoredManifest | undefined): Promise<StoredManifest | undefined> {
  if (!stored) return undefined;
  const { previous, ...current } = stored;
  const before = previous && (await isTextIntact(previous)) ? previous : undefined;
  if (await isTextIntact(current)) return before ? { ...current, previous: before } : current;
  return before && { ...before, openedAt: stored.openedAt, ...(stored.origin ? { origin: stored.origin } : {}) };
}

async function isTextIntact({ text, sha256 }: StoredVersion): Promise<boolean> {
  return sha256 === undefined || (await sha256OfText(text)) === sha256;
}

export const sha256OfText = (text: string): Promise<string> => sha256Of(new TextEncoder().encode(text));

export const writeManifest = (databases: Databases, url: string, manifest: StoredManifest): Promise<void> =>
  databases.manifests('readwrite', (store) => {
    store.put(manifest, url);
    return committed(store.transaction);
  });
export const removeManifest = (databases: Databases, url: string): Promise<void> =>
  databases.manifests('readwrite', (store) => {
    store.delete(url);
    return committed(store.transaction);
  });
export const manifestEntries = (databases: Databases): Promise<[string, StoredManifest][]> =>
  entries<string, StoredManifest>(databases.manifests);

/** All shards of a model, in the order of its components. */
export function allShards(manifest: Manifest): { readonly sha256: string; readonly byteLength: number }[] {
  return Object.values(manifest.components).flatMap((component) => component?.shards ?? []);
}

/** The shards that a stored manifest names, in all its versions; also where this library cannot read it. */
export function shardsNamed({ text, previous }: Pick<StoredManifest, 'text' | 'previous'>): Set<string> {
  return new Set(`${text} ${previous?.text ?? ''}`.match(/\b[0-9a-f]{64}\b/g));
}

/** Shards and beginnings of shards that no stored manifest or list names. Without them, nothing is lost. */
export async function unusedShards(databases: Databases): Promise<string[]> {
  // In this order: a manifest is written before its shards.
  const here = new Set((await keys<string>(databases.shards)).map((key) => key.slice(0, 64)));
  for (const [, manifest] of await manifestEntries(databases))
    for (const sha256 of shardsNamed(manifest)) here.delete(sha256);
  return [...here];
}

/** Removes those of some shards that no stored manifest or list names. */
export async function removeUnused(databases: Databases, shards: Iterable<string>): Promise<void> {
  const unused = new Set(shards);
  if (unused.size === 0) return;
  for (const [, manifest] of await manifestEntries(databases))
    for (const sha256 of shardsNamed(manifest)) unused.delete(sha256);
  await Promise.all([...unused].map((sha256) => removeShard(databases, sha256)));
}

/** Whether a failed write means that the disk or the quota is full. */
export function isQuotaError(error: unknown): boolean {
  return error instanceof Error && (error.name === 'QuotaExceededError' || /quota/i.test(error.message));
}
