import { readBack, type Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import type { Dispatch } from '../../src/gpu/kernel';
import { Runner } from '../../src/gpu/runner';
import type { GpuTensor } from '../../src/model/weights';

/** Rounds to the nearest fp16 value and returns its bits (normal range and zero, which is all that tests use). */
export function halfBits(value: number): number {
  if (value === 0) return 0;
  const sign = value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const mantissa = Math.round((magnitude / 2 ** exponent) * 1024);
  return exponent === -14 && mantissa < 1024 ? sign | mantissa : sign | (((exponent + 15) << 10) + (mantissa - 1024));
}

/** The value of fp16 bits. */
export function halfValue(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const magnitude = exponent === 0 ? (mantissa / 1024) * 2 ** -14 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** Uploads a matrix as fp16 rows padded to 8; also returns the rounded values, which a twin has to use. */
export function uploadMatrix(
  arena: Arena,
  name: string,
  values: Float32Array,
  rows: number,
  columns: number,
): { tensor: GpuTensor; rounded: Float32Array } {
  const rowStride = Math.ceil(columns / 8) * 8;
  const bits = new Uint16Array(rows * rowStride);
  const rounded = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const half = halfBits(values[r * columns + c]!);
      bits[r * rowStride + c] = half;
      rounded[r * columns + c] = halfValue(half);
    }
  }
  return {
    tensor: { name, dtype: 'f16', shape: [rows, columns], rowStride, buffer: arena.upload(name, bits) },
    rounded,
  };
}

/** Uploads a vector or a table as f32. */
export function uploadVector(
  arena: Arena,
  name: string,
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[] = [values.length],
): GpuTensor {
  return { name, dtype: 'f32', shape, rowStride: shape.at(-1)!, buffer: arena.upload(name, values) };
}

/** Runs dispatches and reads a buffer of f32 back. */
export async function runAndRead(
  gpu: Gpu,
  dispatches: readonly Dispatch[],
  buffer: GPUBuffer,
  length: number,
): Promise<Float32Array<ArrayBuffer>> {
  const runner = new Runner(gpu.device);
  await runner.run(dispatches);
  await runner.idle();
  return new Float32Array(await readBack(gpu.device, buffer, 0, length * 4));
}
