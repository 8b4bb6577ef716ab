import { TENSOR_ALIGNMENT, SHARD_BYTES } from './manifest';
import type { ComponentName, DType, ShardEntry, TensorEntry } from './manifest';
import { sha256 } from './sha256';

/** Where a converter's files go: a folder in Node, a store or a zip in a browser. */
export interface FileSink {
  write(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

export const DTYPE_BYTES: Readonly<Record<DType, number>> = { f16: 2, f32: 4, u32: 4, u8: 1 };

/** Elements from one row to the next: rows of halves are padded to 16 bytes, everything else is dense. */
export function rowStrideOf(dtype: DType, shape: readonly number[]): number {
  const row = shape.length < 2 ? (shape[0] ?? 1) : shape.slice(1).reduce((product, n) => product * n, 1);
  return dtype === 'f16' && shape.length >= 2 ? Math.ceil(row / 8) * 8 : row;
}

/** Bytes of a tensor with its rows' padding. */
export function tensorByteLength(dtype: DType, shape: readonly number[]): number {
  const rows = shape.length < 2 ? 1 : shape[0]!;
  return rows * rowStrideOf(dtype, shape) * DTYPE_BYTES[dtype];
}

/**
 * Writes one component: tensors one after the other, each aligned, cut into shards named by their hash. Holds one
 * shard in memory.
 */
export class ShardWriter {
  readonly tensors: TensorEntry[] = [];
  readonly shards: ShardEntry[] = [];
  readonly #component: ComponentName;
  readonly #sink: FileSink;
  readonly #shardBytes: number;
  #buffer: Uint8Array<ArrayBuffer>;
  #filled = 0; // bytes in #buffer
  #position = 0; // bytes in the stream
  #open: { entry: TensorEntry; end: number } | null = null;

  constructor(component: ComponentName, sink: FileSink, shardBytes = SHARD_BYTES) {
    if (shardBytes % TENSOR_ALIGNMENT !== 0) throw new RangeError(`shards of ${shardBytes} bytes are not aligned`);
    this.#component = component;
    this.#sink = sink;
    this.#shardBytes = shardBytes;
    this.#buffer = new Uint8Array(shardBytes);
  }

  get byteLength(): number {
    return this.#position;
  }

  /** Starts the next tensor; `append` must bring exactly its bytes before the next `begin` or `finish`. */
  async begin(name: string, dtype: DType, shape: readonly number[]): Promise<void> {
    await this.#close();
    const byteLength = tensorByteLength(dtype, shape);
    const rowStride = rowStrideOf(dtype, shape);
    const entry: TensorEntry = {
      name,
      dtype,
      shape,
      rowStride,
      component: this.#component,
      offset: this.#position,
      byteLength,
    };
    this.tensors.push(entry);
    this.#open = { entry, end: this.#position + byteLength };
  }

  async append(data: ArrayBufferView): Promise<void> {
    let bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    while (bytes.length > 0) {
      const count = Math.min(bytes.length, this.#shardBytes - this.#filled);
      this.#buffer.set(bytes.subarray(0, count), this.#filled);
      this.#filled += count;
      this.#position += count;
      bytes = bytes.subarray(count);
      if (this.#filled === this.#shardBytes) await this.#flush();
    }
  }

  /** Writes the last, shorter shard. */
  async finish(): Promise<void> {
    await this.#close();
    if (this.#filled > 0) await this.#flush();
  }

  async #close(): Promise<void> {
    if (this.#open && this.#position !== this.#open.end) {
      const { entry, end } = this.#open;
      throw new Error(`${entry.name}: ${this.#position - entry.offset} bytes appended, expected ${end - entry.offset}`);
    }
    this.#open = null;
    const rest = this.#position % TENSOR_ALIGNMENT;
    if (rest > 0) await this.append(new Uint8Array(TENSOR_ALIGNMENT - rest));
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.slice(0, this.#filled);
    const hash = await sha256(bytes);
    const file = `${hash}.bin`;
    await this.#sink.write(file, bytes);
    this.shards.push({ file, byteLength: bytes.byteLength, sha256: hash });
    this.#filled = 0;
  }
}
