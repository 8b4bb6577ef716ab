import { RudolphError } from '../errors';

/**
 * Owns GPU buffers: what an arena made, `dispose` destroys. Counts bytes so that leaks show
 * (`Arena.liveBytes` is 0 again when everything was disposed of).
 */
export class Arena {
  static liveBytes = 0;
  /** Every buffer ever created; a test checks that the decode loop does not move it. */
  static created = 0;
  readonly device: GPUDevice;
  #buffers: GPUBuffer[] = [];
  #disposed = false;

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /** A buffer of at least `byteLength` bytes (rounded up to 16), zero-filled; storage and copy usages unless told otherwise. */
  buffer(
    label: string,
    byteLength: number,
    usage: GPUBufferUsageFlags = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  ): GPUBuffer {
    if (this.#disposed) throw new Error(`${label}: the arena was disposed of`);
    const size = Math.max(16, Math.ceil(byteLength / 16) * 16);
    const { maxBufferSize } = this.device.limits;
    if (size > maxBufferSize) {
      throw new RudolphError(
        'out-of-memory',
        `${label} needs a buffer of ${size} bytes, this device allows ${maxBufferSize}`,
        {
          label,
          size,
          maxBufferSize,
        },
      );
    }
    const buffer = this.device.createBuffer({ label, size, usage });
    Arena.liveBytes += size;
    Arena.created++;
    this.#buffers.push(buffer);
    return buffer;
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

  dispose(): void {
    for (const buffer of this.#buffers) {
      Arena.liveBytes -= buffer.size;
      buffer.destroy();
    }
    this.#buffers = [];
    this.#disposed = true;
  }
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

/** Copies `byteLength` bytes (a multiple of 4) back from the GPU. Awaits the queue: never inside a decode loop. */
export async function readBack(
  device: GPUDevice,
  buffer: GPUBuffer,
  offset = 0,
  byteLength = buffer.size - offset,
): Promise<ArrayBuffer> {
  const staging = device.createBuffer({
    label: 'read back',
    size: byteLength,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, byteLength);
  device.queue.submit([encoder.finish()]);
  try {
    await staging.mapAsync(GPUMapMode.READ);
    return staging.getMappedRange().slice(0);
  } finally {
    staging.destroy();
  }
}
