import { RudolphError } from '../errors';
import type { ByteSource } from '../format/byteSource';
import { bfloat16ToFloat32, float16ToFloat32 } from '../format/float16';
import { checkedSlice } from './ranges';

/** Element types of checkpoints. */
export type SourceDType = 'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u8' | 'bool';

export const SOURCE_BYTES: Readonly<Record<SourceDType, number>> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
};

/** A tensor of a checkpoint: a strided view (in elements) of a storage that is read only when asked for. */
export interface SourceTensor {
  readonly dtype: SourceDType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Element of the storage at which the view starts. */
  readonly offset: number;
  /** Opens the storage; of deflated ones the file's last is kept inflated. */
  readonly storage: () => Promise<ByteSource>;
  /** The file, for messages. */
  readonly label: string;
}

/** The strides of a dense row-major tensor. */
export function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** Whether rows follow one another without gaps; axes of length 1 may have any stride. */
export function isDense({ shape, strides }: Pick<SourceTensor, 'shape' | 'strides'>): boolean {
  const dense = denseStrides(shape);
  return shape.every((length, axis) => length === 1 || strides[axis] === dense[axis]);
}

/** Last element of the view, counted from its first. */
export function lastElement({ shape, strides }: Pick<SourceTensor, 'shape' | 'strides'>): number {
  return shape.reduce((sum, length, axis) => sum + Math.max(0, length - 1) * strides[axis]!, 0);
}

/** A run of elements in row-major order, in the checkpoint's own precision. */
export type Elements =
  { readonly dtype: 'f16'; readonly bits: Uint16Array } | { readonly dtype: 'f32'; readonly values: Float32Array };

/**
 * Elements of the rows from…to−1 (the whole tensor is one row when it has fewer than two dimensions) as f32, or
 * as the bits of halves where the checkpoint has halves.
 * @throws RudolphError `bad-checkpoint` when the storage is shorter than the view.
 */
export async function readRows(tensor: SourceTensor, from: number, to: number): Promise<Elements> {
  const raw = await readRaw(tensor, from, to);
  switch (tensor.dtype) {
    case 'f16':
      return { dtype: 'f16', bits: new Uint16Array(raw) };
    case 'f32':
      return { dtype: 'f32', values: new Float32Array(raw) };
    case 'bf16':
      return { dtype: 'f32', values: bfloat16ToFloat32(new Uint16Array(raw)) };
    case 'f64':
      return { dtype: 'f32', values: Float32Array.from(new Float64Array(raw)) };
    case 'i64':
      return { dtype: 'f32', values: Float32Array.from(new BigInt64Array(raw), Number) };
    case 'i32':
      return { dtype: 'f32', values: Float32Array.from(new Int32Array(raw)) };
    case 'i16':
      return { dtype: 'f32', values: Float32Array.from(new Int16Array(raw)) };
    case 'i8':
      return { dtype: 'f32', values: Float32Array.from(new Int8Array(raw)) };
    case 'u8':
    case 'bool':
      return { dtype: 'f32', values: Float32Array.from(new Uint8Array(raw)) };
  }
}

/** `readRows`, always widened to f32. */
export async function readFloats(tensor: SourceTensor, from: number, to: number): Promise<Float32Array> {
  const elements = await readRows(tensor, from, to);
  return elements.dtype === 'f16' ? float16ToFloat32(elements.bits) : elements.values;
}

async function readRaw(tensor: SourceTensor, from: number, to: number): Promise<ArrayBuffer> {
  const size = SOURCE_BYTES[tensor.dtype];
  const storage = await tensor.storage();
  if (tensor.shape.length >= 2) {
    // A row range is itself a view; one row of a dense tensor is as dense as the whole.
    const view = {
      ...tensor,
      shape: [to - from, ...tensor.shape.slice(1)],
      offset: tensor.offset + from * tensor.strides[0]!,
    };
    return isDense(view) ? dense(view, storage, size) : gather(view, storage, size);
  }
  return isDense(tensor) ? dense(tensor, storage, size) : gather(tensor, storage, size);
}

function dense(view: SourceTensor, storage: ByteSource, size: number): Promise<ArrayBuffer> {
  const count = view.shape.reduce((product, n) => product * n, 1);
  return checkedSlice(storage, view.offset * size, (view.offset + count) * size, view.label);
}

/** Bytes; a view that is not dense is read in one piece. */
const MAX_SCATTERED = 512 * 1024 * 1024;

/** Reads the stretch of the storage that the view touches, then picks. */
async function gather(view: SourceTensor, storage: ByteSource, size: number): Promise<ArrayBuffer> {
  const { shape, strides } = view;
  const count = shape.reduce((product, n) => product * n, 1);
  if (count === 0) return new ArrayBuffer(0);
  const span = lastElement(view) + 1;
  if (Math.max(span, count) * size > MAX_SCATTERED) {
    throw new RudolphError(
      'bad-checkpoint',
      `${view.label}: a tensor [${shape.join(', ')}] is scattered over ${span * size} bytes of its storage; save it contiguous`,
    );
  }
  const source = new Uint8Array(
    await checkedSlice(storage, view.offset * size, (view.offset + span) * size, view.label),
  );
  const target = new Uint8Array(count * size);
  const index = new Array<number>(shape.length).fill(0);
  let element = 0;
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < size; byte++) target[i * size + byte] = source[element * size + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      element += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      element -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return target.buffer;
}
