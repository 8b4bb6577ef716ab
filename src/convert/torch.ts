import { RudolphError } from '../errors';
import type { ByteSource } from '../format/byteSource';
import { shown } from '../format/shown';
import { Opaque, PickleGlobal, PickleTruncated, readPickle } from './pickle';
import type { PickleOptions } from './pickle';
import { checkedSlice } from './ranges';
import { lastElement, SOURCE_BYTES } from './tensors';
import type { SourceDType, SourceTensor } from './tensors';
import { openZipEntry, readZipDirectory } from './zip';
import type { ZipEntry } from './zip';

/** Element type of torch's storage classes; `UntypedStorage` counts bytes. */
const STORAGE_DTYPES: Readonly<Record<string, SourceDType>> = {
  DoubleStorage: 'f64',
  FloatStorage: 'f32',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  LongStorage: 'i64',
  IntStorage: 'i32',
  ShortStorage: 'i16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  UntypedStorage: 'u8',
  BoolStorage: 'bool',
};

/** A storage by its key: what a tensor of the pickle refers to. Filled in by the container. */
class Storage {
  readonly key: string;
  readonly dtype: SourceDType;
  /** Elements. */
  readonly length: number;
  open: (() => Promise<ByteSource>) | null = null;
  constructor(key: string, dtype: SourceDType, length: number) {
    this.key = key;
    this.dtype = dtype;
    this.length = length;
  }
}

/** A tensor of the pickle before its storage is known. */
export class PickledTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly label: string;
  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[], label: string) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
    this.label = label;
  }

  toSource(): SourceTensor {
    const { storage, offset, shape, strides, label } = this;
    const open = storage.open;
    if (!open)
      throw new RudolphError('bad-checkpoint', `${label} is truncated or damaged: storage ${storage.key} is missing`, {
        file: label,
      });
    return { dtype: storage.dtype, shape, strides, offset, storage: open, label };
  }
}

const MOST_DIMENSIONS = 16;
const MOST_KEY = 100;
/** Items that dictionaries are made of, all together: one list may be given to any number of dictionaries. */
const MOST_COPIED = 1_000_000;

/** The allow-list: containers and tensors. Whatever else a pickle names stays an `Opaque`. */
function options(label: string, storages: Map<string, Storage>): PickleOptions {
  const bad = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label}: ${what}`, { file: label });
  };
  const rebuild = (args: readonly unknown[]): unknown => {
    const [storage, offset, shape, strides] = args;
    if (storage instanceof Opaque) return storage; // e.g. a quantised storage: only a tensor that we need may complain
    if (
      !(storage instanceof Storage) ||
      !isSizes([offset]) ||
      !isSizes(shape) ||
      shape.length > MOST_DIMENSIONS ||
      !isSizes(strides) ||
      strides.length !== shape.length
    ) {
      return bad('a tensor of the pickle is malformed');
    }
    const tensor = new PickledTensor(storage, offset as number, shape, strides, label);
    const elements = shape.reduce((product, n) => product * n, 1);
    if (elements > 0 && tensor.offset + lastElement(tensor) >= storage.length) {
      bad(`a tensor [${shape.join(', ')}] reaches beyond its storage of ${storage.length} elements`);
    }
    return tensor;
  };
  let copied = 0;
  const typed = (args: readonly unknown[]) =>
    args[0] instanceof PickledTensor ? args[0] : new Opaque('torch.nn.parameter.Parameter');
  return {
    label,
    builders: {
      'collections.OrderedDict': (args) => {
        const items = Array.isArray(args[0]) ? (args[0] as unknown[]) : [];
        copied += items.length;
        if (copied > MOST_COPIED) return bad('its dictionaries repeat the same items too often');
        return new Map(items.filter(Array.isArray) as unknown as [unknown, unknown][]);
      },
      'torch._utils._rebuild_tensor': rebuild,
      'torch._utils._rebuild_tensor_v2': rebuild,
      'torch._utils._rebuild_parameter': typed,
      'torch._utils._rebuild_parameter_with_state': typed,
      'torch._tensor._rebuild_from_type_v2': (args) => {
        const [callee, , inner] = args;
        const isRebuild = callee instanceof PickleGlobal && callee.className === 'torch._utils._rebuild_tensor_v2';
        return isRebuild && Array.isArray(inner) ? rebuild(inner) : new Opaque('torch.Tensor');
      },
    },
    persistent: (id) => {
      if (!Array.isArray(id) || id[0] !== 'storage')
        return new Opaque(`persistent id ${shown(Array.isArray(id) ? id[0] : id)}`);
      const [, type, key, , length, view] = id as unknown[];
      if (!isKey(key)) return bad(`the key of a storage is ${shown(key)}`);
      const name = type instanceof PickleGlobal ? type.className : '';
      const dtype = STORAGE_DTYPES[/^torch(?:\.storage)?\.(\w+)$/.exec(name)?.[1] ?? ''];
      if (!dtype) return new Opaque(name || 'a storage without a type');
      if (!isSizes([length])) return bad(`storage ${String(key)} has no length`);
      if (view !== undefined && view !== null)
        return new Opaque(`${name} (a view of another storage; save it again with a newer torch)`);
      const known = storages.get(String(key));
      if (known) return known.dtype === dtype ? known : bad(`storage ${String(key)} has two types`);
      const storage = new Storage(String(key), dtype, length as number);
      storages.set(storage.key, storage);
      return storage;
    },
  };
}

/** torch writes texts of digits, in the old container of 15. */
function isKey(value: unknown): value is string | number {
  return (typeof value === 'string' && value.length <= MOST_KEY) || Number.isSafeInteger(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
}

/** The largest checkpoint's has 200 kB. */
const MAX_PICKLE = 64 * 1024 * 1024;

/** The unpickled root of torch's zip container (`<folder>/data.pkl`, storages `<folder>/data/<key>`). */
export async function readTorchZip(source: ByteSource, label: string): Promise<unknown> {
  const entries = await readZipDirectory(source, label);
  const fail = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label} ${what}`, { file: label });
  };
  const pickleName = [...entries.keys()].find((name) => /^(?:[^/]+\/)?data\.pkl$/.test(name));
  if (pickleName === undefined) {
    const some = [...entries.keys()].slice(0, 3).join(', ') || 'nothing';
    return fail(`is a zip, but not one of torch.save: it has no data.pkl (it holds ${some})`);
  }
  const folder = pickleName.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) fail('is a TorchScript archive; save the state_dict with torch.save');
  const byteorder = entries.get(`${folder}byteorder`);
  if (byteorder) {
    const content = await openZipEntry(source, byteorder, label);
    if (new TextDecoder().decode(await content.slice(0, Math.min(8, content.byteLength))) === 'big')
      fail('was saved on a big-endian machine; save it on another one');
  }
  const pickleEntry = entries.get(pickleName)!;
  if (pickleEntry.byteLength > MAX_PICKLE)
    fail(`holds a pickle of ${pickleEntry.byteLength} bytes, expected at most ${MAX_PICKLE}`);
  const pickle = await openZipEntry(source, pickleEntry, label);
  const storages = new Map<string, Storage>();
  const { value } = unpickle(
    new Uint8Array(await pickle.slice(0, pickle.byteLength)),
    0,
    options(label, storages),
    label,
  );
  // Tensors are read in pieces: the storage that was inflated last is kept for the next piece.
  let last: { readonly entry: ZipEntry; readonly source: Promise<ByteSource> } | null = null;
  const inflated = (entry: ZipEntry): Promise<ByteSource> => {
    if (last?.entry !== entry) last = { entry, source: openZipEntry(source, entry, label) };
    return last.source;
  };
  for (const storage of storages.values()) {
    const entry = entries.get(`${folder}data/${storage.key}`);
    if (!entry) continue; // `toSource` complains if the tensor is needed
    const expected = storage.length * SOURCE_BYTES[storage.dtype];
    if (entry.byteLength < expected)
      fail(`is damaged: ${entry.name} has ${entry.byteLength} bytes, its tensors need ${expected}`);
    storage.open = () => (entry.deflated ? inflated(entry) : openZipEntry(source, entry, label));
  }
  return value;
}

/** First bytes of the old container: protocol 2, then the magic number as LONG1 0x1950a86a20f9469cfc6c. */
export const LEGACY_START = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/**
 * The unpickled root of torch's old container: five pickles (magic, protocol version, system, the object, keys of the
 * storages), then each storage as its number of elements (int64) and its bytes.
 */
export async function readTorchLegacy(source: ByteSource, label: string): Promise<unknown> {
  const fail = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label} ${what}`, { file: label });
  };
  // The object's pickle has no length in front: read a beginning of the file, and a longer one when it does not suffice.
  for (let length = 1 << 20; ; length *= 4) {
    const bytes = new Uint8Array(await checkedSlice(source, 0, Math.min(length, source.byteLength), label));
    const storages = new Map<string, Storage>();
    const pickles = options(label, storages);
    try {
      const protocol = readPickle(bytes, LEGACY_START.length, pickles);
      if (protocol.value !== 1001) fail(`is of torch's container version ${shown(protocol.value)}, expected 1001`);
      const system = readPickle(bytes, protocol.end, pickles);
      if (system.value instanceof Map && system.value.get('little_endian') === false)
        fail('was saved on a big-endian machine; save it on another one');
      const root = readPickle(bytes, system.end, pickles);
      const keys = readPickle(bytes, root.end, pickles);
      if (!Array.isArray(keys.value)) return fail('is damaged: it has no list of storages');
      await placeStorages(source, keys.end, keys.value, storages, label);
      return root.value;
    } catch (error) {
      if (!(error instanceof PickleTruncated)) throw error;
      if (length >= source.byteLength || length > MAX_PICKLE)
        fail('is truncated: it ends inside its pickle; get the file again');
    }
  }
}

async function placeStorages(
  source: ByteSource,
  start: number,
  keys: readonly unknown[],
  storages: Map<string, Storage>,
  label: string,
) {
  let at = start;
  for (const key of keys) {
    const storage = isKey(key) ? storages.get(String(key)) : undefined;
    if (!storage)
      throw new RudolphError('bad-checkpoint', `${label} is damaged: no tensor uses storage ${shown(key)}`, {
        file: label,
      });
    const count = Number(new DataView(await checkedSlice(source, at, at + 8, label)).getBigInt64(0, true));
    if (count !== storage.length) {
      throw new RudolphError(
        'bad-checkpoint',
        `${label} is damaged: storage ${storage.key} has ${count} elements, its tensors expect ${storage.length}`,
        { file: label },
      );
    }
    const from = at + 8;
    const to = from + count * SOURCE_BYTES[storage.dtype];
    if (to > source.byteLength) {
      throw new RudolphError(
        'bad-checkpoint',
        `${label} is truncated: it has ${source.byteLength} bytes, storage ${storage.key} ends at ${to}; get the file again`,
        { file: label },
      );
    }
    storage.open = async () => ({
      byteLength: to - from,
      slice: (a, b) => checkedSlice(source, from + a, from + b, label),
    });
    at = to;
  }
}

function unpickle(bytes: Uint8Array, start: number, pickles: PickleOptions, label: string) {
  try {
    return readPickle(bytes, start, pickles);
  } catch (error) {
    if (!(error instanceof PickleTruncated)) throw error;
    throw new RudolphError('bad-checkpoint', `${label} is damaged: its pickle ends too early; get the file again`, {
      file: label,
    });
  }
}
