import type { ComponentName, Manifest, ShardEntry } from './manifest';

/** Where a web model comes from: a host with IndexedDB before it, a folder on disk, a `Map` in a test. */
export interface ModelSource {
  readonly manifest: Manifest;
  /**
   * The bytes of one shard, their length and SHA-256 verified, for the caller to keep or to free. Rejects with a RudolphError `bad-model`,
   * `download` or `storage`.
   */
  shard(entry: ShardEntry, signal?: AbortSignal): Promise<ArrayBuffer>;
  /** Tells which components will be asked for next, in this order, so that they can be fetched ahead and counted. */
  expect?(components: readonly ComponentName[]): void;
}
