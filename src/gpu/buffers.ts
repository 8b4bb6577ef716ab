import { RudolphError } from '../errors';
import { abortable } from './abortable';

/** What a person can do about a full GPU memory. */
export const MEMORY_ADVICE =
  'draw or write fewer at once, close other tabs and programs that use the graphics card, or take a smaller model';

/**
 * Owns GPU buffers: what an arena made, `dispose` destroys. Everything that the engine puts on a device comes from one, also staging
 * buffers, and is counted, so that leaks show (`Arena.liveBytes` is 0 again when everything was disposed of).
 *
 * A device without room says so later: after creating buffers, and before using them, await `allocated`.
 */
export class Arena {
  static liveBytes = 0;
  /** Every buffer ever created; a test checks that the decode loop does not move it. */
  static created = 0;
  readonly device: GPUDevice;
  #buffers: GPUBuffer[] = [];
  #disposed = false;
  /** Answers of the error scopes around buffers that nobody has asked about yet. */
  #asked: Promise<void>[] = [];
  #refusal: RudolphError | null = null;

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /**
   * A buffer of at least `byteLength` bytes (rounded up to 16), zero-filled; storage and copy usages unless told otherwise.
   * @throws RudolphError `out-of-memory` for one that is larger than the device allows any buffer to be.
   */
  buffer(
    label: string,
    byteLength: number,
    usage: GPUBufferUsageFlags = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  ): GPUBuffer {
    if (this.#disposed) throw new Error(`${label}: the arena was disposed of`);
    const { device } = this;
    const size = Math.max(16, Math.ceil(byteLength / 16) * 16);
    const { maxBufferSize } = device.limits;
    if (size > maxBufferSize) {
      throw new RudolphError(
        'out-of-memory',
        `${label} needs a buffer of ${megabytes(size)}, this device allows ${megabytes(maxBufferSize)}: ${MEMORY_ADVICE}`,
        { label, neededBytes: size, limitBytes: maxBufferSize },
      );
    }
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    const buffer = device.createBuffer({ label, size, usage });
    this.#watch(label, size, [device.popErrorScope(), device.popErrorScope()]);
    Arena.liveBytes += size;
    Arena.created++;
    this.#buffers.push(buffer);
    return buffer;
  }

  /**
   * Resolves when the device has taken all buffers created so far.
   * @throws RudolphError `out-of-memory` when it had no room for one; `details` say for which, its bytes and those in use.
   */
  async allocated(): Promise<void> {
    while (this.#asked.length > 0) await Promise.all(this.#asked.splice(0));
    if (this.#refusal) throw this.#refusal;
  }

  /** A buffer with these contents. */
  upload(label: string, data: ArrayBufferView<ArrayBuffer> | ArrayBuffer, usage?: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.buffer(label, data.byteLength, usage);
    write(this.device, buffer, 0, data);
    return buffer;
  }

  /** A uniform buffer with these contents. */
  uniform(label: string, data: ArrayBuffer): GPUBuffer {
    return this.upload(label, data, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  }

  /** A buffer that can be copied to and mapped for reading. */
  staging(label: string, byteLength: number): GPUBuffer {
    return this.buffer(label, byteLength, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  }

  dispose(): void {
    for (const buffer of this.#buffers) {
      Arena.liveBytes -= buffer.size;
      buffer.destroy();
    }
    this.#buffers = [];
    this.#asked = [];
    this.#disposed = true;
  }

  #watch(label: string, size: number, answers: readonly Promise<GPUError | null>[]): void {
    const usedBytes = Arena.liveBytes;
    const asked = Promise.all(answers).then(
      (errors) => {
        const error = errors.find((answer) => answer !== null);
        if (!error) return;
        this.#refusal ??= new RudolphError(
          'out-of-memory',
          `the graphics memory is full: there is no room for ${label} (${megabytes(size)}) beside the ${megabytes(usedBytes)} in use (${error.message.trim()}): ${MEMORY_ADVICE}`,
          { label, neededBytes: size, usedBytes, reason: error.message },
        );
      },
      () => undefined, // the device is lost: that is reported by itself
    );
    this.#asked.push(asked);
  }
}

/** Bytes for a message. */
export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
}

/** `writeBuffer` for any length: WebGPU wants multiples of 4, so the last bytes are padded with zeros. */
export function write(
  device: GPUDevice,
  buffer: GPUBuffer,
  offset: number,
  data: ArrayBufferView<ArrayBuffer> | ArrayBuffer,
): void {
  const bytes =
    data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const whole = bytes.byteLength & ~3;
  if (whole > 0) device.queue.writeBuffer(buffer, offset, bytes, 0, whole);
  if (whole < bytes.byteLength) {
    const tail = new Uint8Array(4);
    tail.set(bytes.subarray(whole));
    device.queue.writeBuffer(buffer, offset + whole, tail);
  }
}

/**
 * Copies `byteLength` bytes (a multiple of 4) back from the GPU. Awaits the queue: never inside a decode loop.
 * @throws the signal's reason as soon as there is one.
 */
export async function readBack(
  device: GPUDevice,
  buffer: GPUBuffer,
  offset = 0,
  byteLength = buffer.size - offset,
  signal?: AbortSignal,
): Promise<ArrayBuffer> {
  signal?.throwIfAborted();
  const arena = new Arena(device);
  try {
    const staging = arena.staging('read back', byteLength);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, byteLength);
    device.queue.submit([encoder.finish()]);
    await abortable(staging.mapAsync(GPUMapMode.READ), signal);
    return staging.getMappedRange().slice(0, byteLength);
  } finally {
    arena.dispose();
  }
}
