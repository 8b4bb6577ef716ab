import type { ComponentName, Manifest, TensorEntry } from '../../src/format/manifest';
import type { ModelSource } from '../../src/format/modelSource';
import { halfBits, halfValue } from './arrays';

export interface CheckpointTensor {
  readonly name: string;
  /** As in a checkpoint: convolutions [out, in, ky, kx]. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Rounds in place to what fp16 holds: a twin then computes with the very weights of the model. */
export function roundToHalf(values: Float32Array): Float32Array {
  values.forEach((value, i) => (values[i] = halfValue(halfBits(value))));
  return values;
}

/** A web model in memory with one component, laid out as the manifest's format says; for `Weights.load`. */
export function memoryModel(
  component: ComponentName,
  tensors: readonly CheckpointTensor[],
  rest: Partial<Manifest> = {},
): ModelSource {
  const entries: TensorEntry[] = [];
  const parts: { offset: number; bytes: Uint8Array }[] = [];
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    const [out = 1, inputs = 1, ky = 1, kx = 1] = shape;
    let bytes: Uint8Array;
    let rowStride = out;
    if (shape.length === 1) bytes = new Uint8Array(Float32Array.from(values).buffer);
    else {
      rowStride = Math.ceil((inputs * ky * kx) / 8) * 8;
      const halves = new Uint16Array(out * rowStride);
      for (let n = 0; n < out; n++) {
        for (let c = 0; c < inputs; c++) {
          for (let tap = 0; tap < ky * kx; tap++) {
            halves[n * rowStride + tap * inputs + c] = halfBits(values[(n * inputs + c) * ky * kx + tap]!);
          }
        }
      }
      bytes = new Uint8Array(halves.buffer);
    }
    entries.push({
      name,
      dtype: shape.length === 1 ? 'f32' : 'f16',
      shape: shape.length === 4 ? [out, ky, kx, inputs] : shape,
      rowStride,
      component,
      offset,
      byteLength: bytes.byteLength,
    });
    parts.push({ offset, bytes });
    offset = Math.ceil((offset + bytes.byteLength) / 256) * 256;
  }
  const stream = new Uint8Array(offset);
  for (const part of parts) stream.set(part.bytes, part.offset);
  const shard = { file: 'memory', byteLength: offset, sha256: '' };
  const manifest = {
    name: 'test',
    components: { [component]: { byteLength: offset, shards: [shard] } },
    tensors: entries,
    ...rest,
  } as unknown as Manifest;
  return { manifest, shard: async () => stream.slice().buffer };
}
