import { RudolphError } from '../errors';
import { isQuotaError } from './databases';

/** Bytes that this browser still lets the page store; null where it does not say. */
export async function freeBytes(): Promise<number | null> {
  if (typeof navigator === 'undefined' || !navigator.storage?.estimate) return null;
  try {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined || usage === undefined ? null : Math.max(0, quota - usage);
  } catch {
    return null; // frames without an origin
  }
}

/** @throws RudolphError `storage`, with `details.missingBytes`, when so many bytes more have no room. */
export async function demandRoom(neededBytes: number): Promise<void> {
  const free = await freeBytes();
  if (free !== null && neededBytes > free) throw storageFull(neededBytes, free);
}

/** The error of a full disk or quota: what is needed, what is free, and how much that is too little. */
export function storageFull(neededBytes: number, free: number | null, cause?: unknown): RudolphError {
  // A browser whose disk filled up may go on promising room.
  const missingBytes = free === null || free >= neededBytes ? neededBytes : neededBytes - free;
  const found = free === null || free >= neededBytes ? 'there is less' : `${megabytes(free)} are free`;
  return new RudolphError(
    'storage',
    `this browser's storage is full: the model needs ${megabytes(neededBytes)}, ${found}. Free ${megabytes(missingBytes)} (remove stored models, or make room on the disk) and try again; nothing of the model was kept`,
    { full: true, neededBytes, freeBytes: free, missingBytes },
    { cause },
  );
}

/**
 * What `work` with the browser's storage gives.
 * @param neededBytes what will be written in all, for the error where it has no room.
 * @throws RudolphError `storage` for whatever else goes wrong.
 */
export async function withStorage<T>(work: () => Promise<T>, neededBytes = 0): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RudolphError) throw error;
    if (isQuotaError(error)) throw storageFull(neededBytes, await freeBytes(), error);
    throw new RudolphError(
      'storage',
      `this browser's storage failed (${error instanceof Error ? error.message : String(error)}); reload the page and try again`,
      {},
      { cause: error },
    );
  }
}

export function megabytes(bytes: number): string {
  return `${Math.ceil(Math.max(0, bytes) / 1e6)} MB`;
}
