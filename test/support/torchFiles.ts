import { deflateRawSync } from 'node:zlib';
import type { ByteSource } from '../../src/format/byteSource';
import type { SourceDType } from '../../src/convert/tensors';
import { concat } from './concat';

/** A tensor to be pickled: a view of a storage of its own. */
export interface FakeTensor {
  readonly dtype: SourceDType;
  readonly shape: readonly number[];
  /** The storage, little-endian. May be shorter or longer than the view, to provoke errors. */
  readonly data: Uint8Array;
  readonly strides?: readonly number[];
  readonly offset?: number;
  /** The number of elements that the pickle claims; by default what `data` holds. */
  readonly claims?: number;
}

/** An object of a Python class, called without arguments; `state` is what `BUILD` gives it. */
export class FakeObject {
  readonly module: string;
  readonly name: string;
  readonly args: readonly PickleValue[];
  constructor(module: string, name: string, args: readonly PickleValue[] = []) {
    this.module = module;
    this.name = name;
    this.args = args;
  }
}

export type PickleValue = null | boolean | number | string | FakeTensor | FakeObject | Map<string, PickleValue>;

const CLASSES: Readonly<Record<SourceDType, [string, number]>> = {
  f64: ['DoubleStorage', 8],
  f32: ['FloatStorage', 4],
  f16: ['HalfStorage', 2],
  bf16: ['BFloat16Storage', 2],
  i64: ['LongStorage', 8],
  i32: ['IntStorage', 4],
  i16: ['ShortStorage', 2],
  i8: ['CharStorage', 1],
  u8: ['ByteStorage', 1],
  bool: ['BoolStorage', 1],
};

/** Writes pickles of protocol 2, as torch.save does. */
class Pickler {
  readonly #bytes: number[] = [0x80, 2];
  readonly storages: Uint8Array[] = [];
  readonly lengths: number[] = [];
  readonly #legacy: boolean;
  constructor(legacy: boolean) {
    this.#legacy = legacy;
  }

  finish(): Uint8Array {
    return Uint8Array.from([...this.#bytes, 0x2e]);
  }

  write(value: PickleValue | readonly string[]): void {
    const out = this.#bytes;
    if (value === null) out.push(0x4e);
    else if (typeof value === 'boolean') out.push(value ? 0x88 : 0x89);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#text(value);
    else if (value instanceof FakeObject) {
      this.#global(value.module, value.name);
      out.push(0x28);
      for (const arg of value.args) this.write(arg);
      out.push(0x74, 0x52); // TUPLE, REDUCE
    } else if (value instanceof Map) {
      this.#global('collections', 'OrderedDict');
      out.push(0x29, 0x52, 0x28); // an empty tuple, REDUCE, MARK
      for (const [key, item] of value) {
        this.#text(key);
        this.write(item);
      }
      out.push(0x75); // SETITEMS
      out.push(0x7d, 0x62); // BUILD with {}: torch's _metadata
    } else if (Array.isArray(value)) {
      out.push(0x5d, 0x28);
      for (const item of value as string[]) this.#text(item);
      out.push(0x65);
    } else this.#tensor(value as FakeTensor);
  }

  #number(value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
      view.setInt32(0, value, true);
      this.#bytes.push(0x4a, ...new Uint8Array(view.buffer, 0, 4));
    } else if (Number.isInteger(value)) {
      view.setBigInt64(0, BigInt(value), true);
      this.#bytes.push(0x8a, 8, ...new Uint8Array(view.buffer));
    } else {
      view.setFloat64(0, value, false);
      this.#bytes.push(0x47, ...new Uint8Array(view.buffer));
    }
  }

  #text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.#bytes.push(0x58, bytes.length & 255, (bytes.length >> 8) & 255, (bytes.length >> 16) & 255, 0, ...bytes);
  }

  #global(module: string, name: string): void {
    this.#bytes.push(0x63, ...new TextEncoder().encode(`${module}\n${name}\n`));
  }

  #sizes(sizes: readonly number[]): void {
    this.#bytes.push(0x28);
    for (const size of sizes) this.#number(size);
    this.#bytes.push(0x74);
  }

  #tensor({ dtype, shape, data, strides, offset = 0, claims }: FakeTensor): void {
    const [storageClass, size] = CLASSES[dtype];
    const key = String(this.storages.push(data) - 1);
    const length = claims ?? data.length / size;
    this.lengths.push(length);
    this.#global('torch._utils', '_rebuild_tensor_v2');
    this.#bytes.push(0x28, 0x28);
    this.#text('storage');
    this.#global('torch', storageClass);
    this.#text(key);
    this.#text('cpu');
    this.#number(length);
    if (this.#legacy) this.write(null); // no view of another storage
    this.#bytes.push(0x74, 0x51); // TUPLE, BINPERSID
    this.#number(offset);
    this.#sizes(shape);
    this.#sizes(strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1)));
    this.write(false);
    this.write(new Map());
    this.#bytes.push(0x74, 0x52);
  }
}

export interface ZipOptions {
  /** Writes every size and offset as ZIP64 does. */
  readonly zip64?: boolean;
  readonly deflate?: boolean;
  readonly folder?: string;
  /** Of a header: the CRC-32 of the content; nobody here looks at it, but other programs do. */
  readonly crc?: number;
  /** Of a local header: so many bytes more, in an extra field (at least 4); torch aligns its tensors so. */
  readonly padding?: number;
}

/** A checkpoint as torch.save writes it today. */
export function torchZip(root: PickleValue, options: ZipOptions = {}): Uint8Array {
  const pickler = new Pickler(false);
  pickler.write(root);
  const folder = options.folder ?? 'archive';
  const files: [string, Uint8Array][] = [[`${folder}/data.pkl`, pickler.finish()]];
  pickler.storages.forEach((data, key) => files.push([`${folder}/data/${key}`, data]));
  files.push([`${folder}/version`, new TextEncoder().encode('3\n')]);
  return zip(files, options);
}

/** A checkpoint as torch.save wrote it before 1.6. */
export function torchLegacy(root: PickleValue): Uint8Array {
  const pickler = new Pickler(true);
  pickler.write(root);
  const magic = Uint8Array.from([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]);
  const small = (value: PickleValue | readonly string[]) => {
    const part = new Pickler(true);
    part.write(value);
    return part.finish();
  };
  const parts = [
    magic,
    small(1001),
    small(new Map([['little_endian', true]])),
    pickler.finish(),
    small(pickler.storages.map((_, key) => String(key))),
  ];
  pickler.storages.forEach((data, key) => {
    const length = new DataView(new ArrayBuffer(8));
    length.setBigInt64(0, BigInt(pickler.lengths[key]!), true);
    parts.push(new Uint8Array(length.buffer), data);
  });
  return concat(parts);
}

/** A zip of files, stored unless told otherwise (no CRC: nobody looks at it). */
export function zip(files: readonly (readonly [string, Uint8Array])[], options: ZipOptions = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, content] of files) {
    const data = options.deflate ? deflateRawSync(content) : content;
    const local = zipHeader(name, options, content.length, data.length, null);
    directory.push(zipHeader(name, options, content.length, data.length, offset));
    parts.push(local, data);
    offset += local.length + data.length;
  }
  return concat([...parts, ...directory, zipEnd(directory, offset, options.zip64 ?? false)]);
}

/** A local header, or with an offset an entry of the directory. */
export function zipHeader(
  name: string,
  { zip64, deflate, crc = 0, padding = 0 }: ZipOptions,
  length: number,
  packed: number,
  offset: number | null,
): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  const wide = zip64 ? (offset === null ? 20 : 28) : 0;
  const extra = new DataView(new ArrayBuffer(wide + padding));
  if (padding > 0) {
    extra.setUint16(wide, 0x4246, true); // "FB"
    extra.setUint16(wide + 2, padding - 4, true);
  }
  if (zip64) {
    extra.setUint16(0, 1, true);
    extra.setUint16(2, wide - 4, true);
    [length, packed, ...(offset === null ? [] : [offset])].forEach((value, k) =>
      extra.setBigUint64(4 + 8 * k, BigInt(value), true),
    );
  }
  const start = offset === null ? 30 : 46;
  const view = new DataView(new ArrayBuffer(start));
  const shift = offset === null ? 0 : 2; // the directory's entries begin with one version more
  view.setUint32(0, offset === null ? 0x04034b50 : 0x02014b50, true);
  view.setUint16(8 + shift, deflate ? 8 : 0, true);
  view.setUint32(14 + shift, crc, true);
  view.setUint32(18 + shift, zip64 ? 0xffffffff : packed, true);
  view.setUint32(22 + shift, zip64 ? 0xffffffff : length, true);
  view.setUint16(26 + shift, bytes.length, true);
  view.setUint16(28 + shift, extra.byteLength, true);
  if (offset !== null) view.setUint32(42, zip64 ? 0xffffffff : offset, true);
  return concat([new Uint8Array(view.buffer), bytes, new Uint8Array(extra.buffer)]);
}

/** What ends a zip: with zip64, its record and locator before the common record. */
export function zipEnd(directory: readonly Uint8Array[], offset: number, zip64: boolean): Uint8Array {
  const size = directory.reduce((sum, entry) => sum + entry.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, zip64 ? 0xffff : directory.length, true);
  end.setUint16(10, zip64 ? 0xffff : directory.length, true);
  end.setUint32(12, zip64 ? 0xffffffff : size, true);
  end.setUint32(16, zip64 ? 0xffffffff : offset, true);
  if (!zip64) return new Uint8Array(end.buffer);
  const wide = new DataView(new ArrayBuffer(76));
  wide.setUint32(0, 0x06064b50, true);
  wide.setBigUint64(4, 44n, true);
  wide.setBigUint64(24, BigInt(directory.length), true);
  wide.setBigUint64(32, BigInt(directory.length), true);
  wide.setBigUint64(40, BigInt(size), true);
  wide.setBigUint64(48, BigInt(offset), true);
  wide.setUint32(56, 0x07064b50, true);
  wide.setBigUint64(64, BigInt(offset + size), true);
  wide.setUint32(72, 1, true);
  return concat([new Uint8Array(wide.buffer), new Uint8Array(end.buffer)]);
}

/** A pickle alone, with the storages it refers to, for containers that a test lays out itself. */
export function pickle(root: PickleValue): Uint8Array {
  const pickler = new Pickler(false);
  pickler.write(root);
  return pickler.finish();
}

/** Bytes at some offsets, zeros elsewhere: a file of any length that needs no memory. */
export function sparseSource(byteLength: number, pieces: readonly (readonly [number, Uint8Array])[]): ByteSource {
  return {
    byteLength,
    slice: async (start, end) => {
      const bytes = new Uint8Array(end - start);
      for (const [offset, piece] of pieces) {
        const from = Math.max(start, offset);
        const to = Math.min(end, offset + piece.length);
        if (from < to) bytes.set(piece.subarray(from - offset, to - offset), from - start);
      }
      return bytes.buffer;
    },
  };
}
