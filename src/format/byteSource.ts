/**
 * The one way in which the project reads bytes: a URL, a file on disk, a `Blob` and memory look alike.
 * (The interface is hyparquet's.)
 */
export interface ByteSource {
  readonly byteLength: number;
  /** Bytes start…end−1. Rejects when the range leaves the source. */
  slice(start: number, end: number): Promise<ArrayBuffer>;
}

/** A source over bytes in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    byteLength: bytes.byteLength,
    slice: async (start, end) => {
      if (start < 0 || end < start || end > bytes.byteLength) {
        throw new RangeError(`bytes ${start}…${end} asked of a source of ${bytes.byteLength}`);
      }
      // A copy by hand: Node's Buffer overrides `slice`, and would give away the memory around it.
      const copy = new Uint8Array(end - start);
      copy.set(bytes.subarray(start, end));
      return copy.buffer;
    },
  };
}

/** A source over a `Blob` or `File`. */
export function blobSource(blob: Blob): ByteSource {
  return { byteLength: blob.size, slice: (start, end) => blob.slice(start, end).arrayBuffer() };
}
