import { RudolphError } from '../errors';
import { FLOAT16_MAX, float16Bits, float16ToFloat32, float16Value } from '../format/float16';
import { rowStrideOf } from '../format/shards';
import type { ShardWriter } from '../format/shards';
import type { Checkpoint } from './checkpoint';
import type { PlannedTensor } from './plan';
import { isDense, readRows, SOURCE_BYTES } from './tensors';
import type { Elements, SourceTensor } from './tensors';

/** How much of a tensor is in memory at once. */
const CHUNK_BYTES = 8 * 1024 * 1024;

/**
 * Reads a planned tensor chunk by chunk from the checkpoint and appends it to the component's stream.
 * @param keys names of the plan → keys of the checkpoint.
 * @throws RudolphError `bad-checkpoint` when a value is NaN, infinite or too large for a half.
 */
export async function writeTensor(
  writer: ShardWriter,
  planned: PlannedTensor,
  checkpoint: Checkpoint,
  keys: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): Promise<void> {
  await writer.begin(planned.name, planned.dtype, planned.shape);
  for (const { key, fromRow, toRow } of planned.parts) {
    const sourceKey = keys.get(key)!;
    const tensor = checkpoint.tensors.get(sourceKey)!;
    const where = (element: number) => `${checkpoint.label}: ${sourceKey}${position(tensor.shape, element)}`;
    if (tensor.shape.length < 2) {
      // Vectors come whole; `fromRow…toRow` of the logits' bias are elements.
      const [from, to] = planned.shape.length === 1 ? [fromRow, fromRow + planned.shape[0]!] : [0, tensor.shape[0]!];
      const elements = await readRows(tensor, 0, 1);
      const values = elements.dtype === 'f16' ? float16ToFloat32(elements.bits) : elements.values;
      await writer.append(finite(values.subarray(from, to), (i) => where(from + i)));
      continue;
    }
    const width = tensor.shape.slice(1).reduce((product, n) => product * n, 1);
    const rowsAtOnce = isDense(tensor)
      ? Math.max(1, Math.floor(CHUNK_BYTES / (width * SOURCE_BYTES[tensor.dtype])))
      : toRow - fromRow;
    for (let row = fromRow; row < toRow; row += rowsAtOnce) {
      signal?.throwIfAborted();
      const end = Math.min(toRow, row + rowsAtOnce);
      const halves = toHalves(await readRows(tensor, row, end), (i) => where(row * width + i));
      await writer.append(layOut(halves, end - row, width, planned, tensor));
    }
  }
}

/** `[2, 17]` for an element's place; empty for a vector of one. */
function position(shape: readonly number[], element: number): string {
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(element % shape[axis]!);
    element = Math.floor(element / shape[axis]!);
  }
  return `[${index.join(', ')}]`;
}

function finite(values: Float32Array, where: (index: number) => string): Float32Array {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) throw refuse(where(i), values[i]!);
  }
  return values;
}

function toHalves(elements: Elements, where: (index: number) => string): Uint16Array {
  if (elements.dtype === 'f16') {
    const { bits } = elements;
    for (let i = 0; i < bits.length; i++) {
      if ((bits[i]! & 0x7c00) === 0x7c00) throw refuse(where(i), float16Value(bits[i]!));
    }
    return bits;
  }
  const { values } = elements;
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const bits = float16Bits(values[i]!);
    if ((bits & 0x7c00) === 0x7c00) throw refuse(where(i), values[i]!);
    halves[i] = bits;
  }
  return halves;
}

function refuse(where: string, value: number): RudolphError {
  const what = Number.isFinite(value) ? `${value}, beyond what a half can hold (${FLOAT16_MAX})` : `${value}`;
  return new RudolphError('bad-checkpoint', `${where} is ${what}; the weights are not usable`, {
    value: String(value),
  });
}

/** Pads rows to the stride; re-lays convolutions [out, in, ky, kx] → [out, ky, kx, in]. */
function layOut(
  halves: Uint16Array,
  rows: number,
  width: number,
  planned: PlannedTensor,
  tensor: SourceTensor,
): Uint16Array {
  const stride = rowStrideOf(planned.dtype, planned.shape);
  const area = planned.convolution ? tensor.shape[2]! * tensor.shape[3]! : 1;
  if (stride === width && area === 1) return halves;
  const target = new Uint16Array(rows * stride);
  if (area === 1) {
    for (let row = 0; row < rows; row++) target.set(halves.subarray(row * width, (row + 1) * width), row * stride);
    return target;
  }
  const inputs = tensor.shape[1]!;
  for (let row = 0; row < rows; row++) {
    for (let input = 0; input < inputs; input++) {
      for (let tap = 0; tap < area; tap++) {
        target[row * stride + tap * inputs + input] = halves[row * width + input * area + tap]!;
      }
    }
  }
  return target;
}
