import { createStore, del, entries, get, keys, promisifyRequest, set, type UseStore } from 'idb-keyval';
import type { Manifest } from '../format/manifest';

/** Where a stored model came from: an address, or somebody's own files, converted already or not. */
export type ModelOrigin = 'url' | 'folder' | 'checkpoint';

/** What is remembered of a model: its manifest as text, and when it was last opened. */
export interface StoredManifest {
  readonly text: string;
  readonly openedAt: number; // milliseconds since 1970
  /** Absent in what earlier versions stored: an address. */
  readonly origin?: ModelOrigin;
}

/**
 * What the store needs of IndexedDB. idb-keyval keeps one store a database, so shards and manifests are two databases;
 * tests give their own.
 */
export interface Databases {
  /** ArrayBuffers by SHA-256. */
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
        : { shards: createStore('rudolph-shards', 'shards'), manifests: createStore('rudolph-manifests', 'manifests') };
  }
  return shared;
}

export const readShard = (databases: Databases, sha256: string): Promise<ArrayBuffer | undefined> =>
  get<ArrayBuffer>(sha256, databases.shards);
export const writeShard = (databases: Databases, sha256: string, bytes: ArrayBuffer): Promise<void> =>
  set(sha256, bytes, databases.shards);
export const removeShard = (databases: Databases, sha256: string): Promise<void> => del(sha256, databases.shards);
export const shardKeys = async (databases: Databases): Promise<Set<string>> =>
  new Set(await keys<string>(databases.shards));

/** Whether a shard is there, without reading it. */
export const hasShard = async (databases: Databases, sha256: string): Promise<boolean> =>
  databases.shards('readonly', async (store) => (await promisifyRequest(store.count(sha256))) > 0);

export const readManifest = (databases: Databases, url: string): Promise<StoredManifest | undefined> =>
  get<StoredManifest>(url, databases.manifests);
export const writeManifest = (databases: Databases, url: string, manifest: StoredManifest): Promise<void> =>
  set(url, manifest, databases.manifests);
export const removeManifest = (databases: Databases, url: string): Promise<void> => del(url, databases.manifests);
export const manifestEntries = (databases: Databases): Promise<[string, StoredManifest][]> =>
  entries<string, StoredManifest>(databases.manifests);

/** All shards of a model, in the order of its components. */
export function allShards(manifest: Manifest): { readonly sha256: string; readonly byteLength: number }[] {
  return Object.values(manifest.components).flatMap((component) => component?.shards ?? []);
}

/** Removes those of some shards that no stored manifest or list names, be it of a version that this library cannot read. */
export async function removeUnused(databases: Databases, shards: readonly string[]): Promise<void> {
  const texts = (await manifestEntries(databases)).map(([, { text }]) => text);
  const unused = shards.filter((sha256) => !texts.some((text) => text.includes(sha256)));
  await Promise.all(unused.map((sha256) => removeShard(databases, sha256)));
}

/** Whether a failed write means that the disk or the quota is full. */
export function isQuotaError(error: unknown): boolean {
  return error instanceof Error && (error.name === 'QuotaExceededError' || /quota/i.test(error.message));
}
