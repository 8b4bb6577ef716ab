import { RudolphError } from '../errors';
import type { ByteSource } from '../format/byteSource';
import { readSafetensorsIndex } from '../format/safetensors';
import type { SafetensorsDType } from '../format/safetensors';
import { shortened, shown } from '../format/shown';
import { Opaque, PickleGlobal } from './pickle';
import { checkedSlice } from './ranges';
import { denseStrides } from './tensors';
import type { SourceDType, SourceTensor } from './tensors';
import { LEGACY_START, PickledTensor, readTorchLegacy, readTorchZip } from './torch';

/** A file with the name to use in messages. */
export interface NamedSource {
  readonly label: string;
  readonly source: ByteSource;
}

/** A state dict: what is a tensor, and what is none (with the class or kind that stands in its place). */
export interface Checkpoint {
  readonly label: string;
  readonly container: 'torch zip' | 'torch legacy' | 'safetensors';
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  readonly others: ReadonlyMap<string, string>;
}

const SAFETENSORS_TO_SOURCE: Partial<Record<SafetensorsDType, SourceDType>> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I64: 'i64',
  I32: 'i32',
  I16: 'i16',
  I8: 'i8',
  U8: 'u8',
  BOOL: 'bool',
};

/**
 * Opens a checkpoint of any known container; only its index is read now.
 * @throws RudolphError `bad-checkpoint`: not a checkpoint (and what it seems to be), truncated, damaged, or without a state dict.
 */
export async function openCheckpoint({ source, label }: NamedSource): Promise<Checkpoint> {
  const head = new Uint8Array(await checkedSlice(source, 0, Math.min(512, source.byteLength), label));
  const starts = (bytes: readonly number[], at = 0) => bytes.every((byte, i) => head[at + i] === byte);
  if (starts([0x50, 0x4b, 0x03, 0x04]) || starts([0x50, 0x4b, 0x05, 0x06])) {
    return fromPickle(await readTorchZip(source, label), 'torch zip', label);
  }
  if (starts(LEGACY_START)) return fromPickle(await readTorchLegacy(source, label), 'torch legacy', label);
  if (head[8] === 0x7b && head.length > 9) return fromSafetensors(source, label);
  throw new RudolphError(
    'bad-checkpoint',
    `${label} ${guess(head)}; expected a checkpoint of torch.save (.bin, .ckpt, .pt) or .safetensors`,
    {
      file: label,
    },
  );
}

/** What a file that is no checkpoint seems to be. */
function guess(head: Uint8Array): string {
  const text = new TextDecoder('latin1').decode(head).trimStart().toLowerCase();
  if (head.length === 0) return 'is empty';
  if (text.startsWith('<!doctype') || text.startsWith('<html')) return 'is an HTML page (a failed download?)';
  if (text.startsWith('version https://git-lfs'))
    return 'is a Git LFS pointer (fetch the file itself with git lfs pull)';
  if (head[0] === 0x1f && head[1] === 0x8b) return 'is gzip-compressed (unpack it first)';
  if (text.startsWith('{') || text.startsWith('[')) return 'is JSON';
  if (text.slice(256).includes('ustar')) return 'is a tar archive';
  if (head[0] === 0x80 && head[1]! <= 5) return 'is a pickle that torch.save did not write';
  if (head.every((byte) => byte === 0)) return 'begins with zeros (an unfinished download?)';
  return 'is of an unknown format';
}

async function fromSafetensors(source: ByteSource, label: string): Promise<Checkpoint> {
  const tensors = new Map<string, SourceTensor>();
  const others = new Map<string, string>();
  for (const [name, entry] of await readSafetensorsIndex(source, label)) {
    const dtype = SAFETENSORS_TO_SOURCE[entry.dtype];
    if (!dtype) {
      others.set(name, `a tensor of type ${entry.dtype}`);
      continue;
    }
    const storage = async (): Promise<ByteSource> => ({
      byteLength: entry.end - entry.start,
      slice: (from, to) => checkedSlice(source, entry.start + from, entry.start + to, label),
    });
    tensors.set(name, { dtype, shape: entry.shape, strides: denseStrides(entry.shape), offset: 0, storage, label });
  }
  return { label, container: 'safetensors', tensors, others };
}

function fromPickle(root: unknown, container: 'torch zip' | 'torch legacy', label: string): Checkpoint {
  if (!(root instanceof Map)) {
    throw new RudolphError(
      'bad-checkpoint',
      `${label} holds ${kind(root)} instead of a state dict; save model.state_dict() with torch.save`,
      {
        file: label,
      },
    );
  }
  const inner: unknown = root.get('state_dict');
  if (inner !== undefined && !(inner instanceof Map)) {
    throw new RudolphError(
      'bad-checkpoint',
      `${label}: its state_dict is ${kind(inner)} instead of a dictionary of tensors`,
      { file: label },
    );
  }
  const tensors = new Map<string, SourceTensor>();
  const others = new Map<string, string>();
  for (const [name, value] of (inner ?? root) as Map<unknown, unknown>) {
    if (typeof name !== 'string') continue; // names are texts: nothing that is looked for
    if (value instanceof PickledTensor) tensors.set(name, value.toSource());
    else others.set(name, kind(value));
  }
  if (tensors.size === 0) {
    const names = [...root.keys()].slice(0, 5);
    const keys = names.map((key) => (typeof key === 'string' ? shortened(key, 60) : shown(key))).join(', ') || 'none';
    throw new RudolphError('bad-checkpoint', `${label} holds no tensors (its keys: ${keys})`, { file: label });
  }
  return { label, container, tensors, others };
}

function kind(value: unknown): string {
  if (value instanceof Opaque || value instanceof PickleGlobal) return `an object of the class ${value.className}`;
  if (value instanceof PickledTensor) return 'a tensor';
  if (value instanceof Map) return 'a dictionary';
  if (Array.isArray(value)) return 'a list';
  return value === null ? 'None' : `a ${typeof value}`;
}
