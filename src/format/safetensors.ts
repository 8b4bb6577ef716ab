import { RudolphError } from '../errors';
import type { ByteSource } from './byteSource';
import { shown } from './shown';

/** safetensors' names of the types that occur in models. */
export type SafetensorsDType =
  'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U64' | 'U32' | 'U16' | 'U8' | 'BOOL';

export const SAFETENSORS_BYTES: Readonly<Record<SafetensorsDType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

/** One tensor of a safetensors file: row-major elements at bytes start…end−1 of the file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** The largest model's has 100 kB. */
const MAX_HEADER = 16 * 1024 * 1024;

/**
 * The index of a safetensors file: 8 bytes of header length, a JSON header, then the data.
 * @throws RudolphError `bad-checkpoint` when the header is damaged or a tensor lies outside the file.
 */
export async function readSafetensorsIndex(source: ByteSource, label: string): Promise<Map<string, SafetensorsEntry>> {
  const fail = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label} is not a usable safetensors file: ${what}`, { file: label });
  };
  if (source.byteLength < 8) fail(`it has ${source.byteLength} bytes`);
  const length = Number(new DataView(await source.slice(0, 8)).getBigUint64(0, true));
  if (length > MAX_HEADER || 8 + length > source.byteLength) {
    fail(`its header claims ${length} bytes in a file of ${source.byteLength}; it may be truncated`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await source.slice(8, 8 + length)));
  } catch {
    fail('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) fail('its header is not an object');
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(header as Record<string, unknown>)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
    if (typeof dtype !== 'string' || !Object.hasOwn(SAFETENSORS_BYTES, dtype))
      fail(`${name} is of the unknown type ${shown(dtype)}`);
    if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) return fail(`the entry of ${name} is malformed`);
    const size = SAFETENSORS_BYTES[dtype as SafetensorsDType] * shape.reduce((product, n) => product * n, 1);
    const [start, end] = [8 + length + offsets[0]!, 8 + length + offsets[1]!];
    if (end - start !== size) fail(`${name} ${dtype} [${shape.join(', ')}] needs ${size} bytes but has ${end - start}`);
    if (end > source.byteLength) fail(`${name} ends at byte ${end} of ${source.byteLength}; it is truncated`);
    entries.set(name, { name, dtype: dtype as SafetensorsDType, shape, start, end });
  }
  return entries;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** A tensor to be written: row-major elements as little-endian bytes. */
export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * A whole safetensors file, tensors in the given order.
 * @throws RudolphError `bad-input` when a tensor's bytes do not fit its shape.
 */
export function writeSafetensors(tensors: readonly SafetensorsTensor[]): Uint8Array<ArrayBuffer> {
  const index: Record<string, unknown> = {};
  let dataLength = 0;
  for (const { name, dtype, shape, data } of tensors) {
    const size = SAFETENSORS_BYTES[dtype] * shape.reduce((product, n) => product * n, 1);
    if (size !== data.byteLength) {
      throw new RudolphError(
        'bad-input',
        `${name} ${dtype} [${shape.join(', ')}] needs ${size} bytes, got ${data.byteLength}`,
      );
    }
    index[name] = { dtype, shape, data_offsets: [dataLength, dataLength + size] };
    dataLength += size;
  }
  const json = new TextEncoder().encode(JSON.stringify(index));
  const headerLength = Math.ceil(json.length / 8) * 8; // padded with blanks, so that the data is aligned
  const file = new Uint8Array(8 + headerLength + dataLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.fill(0x20, 8, 8 + headerLength);
  file.set(json, 8);
  let offset = 8 + headerLength;
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}
