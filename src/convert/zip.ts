import { RudolphError } from '../errors';
import type { ByteSource } from '../format/byteSource';
import { shown } from '../format/shown';
import { checkedSlice } from './ranges';

/** A file inside a zip. */
export interface ZipEntry {
  readonly name: string;
  readonly deflated: boolean;
  readonly compressedLength: number;
  readonly byteLength: number;
  /** Where the local header starts in the zip. */
  readonly headerOffset: number;
}

const END = 0x0605_4b50;
const END64 = 0x0606_4b50;
const END64_LOCATOR = 0x0706_4b50;
const CENTRAL = 0x0201_4b50;
const LOCAL = 0x0403_4b50;
const END_BYTES = 22;
const LOCAL_BYTES = 30;
/** The largest checkpoint's has 100 kB. */
const MAX_DIRECTORY = 16 * 1024 * 1024;
/** What a deflated entry may grow to; torch stores its tensors, so only re-packed files come here. */
const MAX_INFLATED = 512 * 1024 * 1024;
/** Deflate cannot do better: who claims it lies, and would have the memory set aside. */
const MAX_RATIO = 1032;
/** How much of a deflated entry is read at once. */
const PACKED_CHUNK = 1024 * 1024;

/**
 * Reads the central directory of a zip, ZIP64 included. (Own code instead of a library: what we need besides the
 * directory is ranges *inside* stored entries, because a 2.7B checkpoint must not be held in memory.)
 * @throws RudolphError `bad-checkpoint` when the directory is missing (truncated file) or damaged.
 */
export async function readZipDirectory(source: ByteSource, label: string): Promise<Map<string, ZipEntry>> {
  const fail = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label}: ${what}; get the file again`, { file: label });
  };
  const tailStart = Math.max(0, source.byteLength - END_BYTES - 0xffff);
  const tail = new DataView(await checkedSlice(source, tailStart, source.byteLength, label));
  let end = tail.byteLength - END_BYTES;
  while (
    end >= 0 &&
    (tail.getUint32(end, true) !== END || end + END_BYTES + tail.getUint16(end + 20, true) !== tail.byteLength)
  )
    end--;
  if (end < 0)
    fail(`the zip is truncated (its directory, which ends the file, is missing after ${source.byteLength} bytes)`);

  let count = tail.getUint16(end + 10, true);
  let size = tail.getUint32(end + 12, true);
  let offset = tail.getUint32(end + 16, true);
  const locator = end - 20;
  if (locator >= 0 && tail.getUint32(locator, true) === END64_LOCATOR) {
    const at = Number(tail.getBigUint64(locator + 8, true));
    if (at + 56 > source.byteLength) fail('the ZIP64 directory lies outside the file');
    const end64 = new DataView(await checkedSlice(source, at, at + 56, label));
    if (end64.getUint32(0, true) !== END64) fail('the ZIP64 directory is damaged');
    count = Number(end64.getBigUint64(32, true));
    size = Number(end64.getBigUint64(40, true));
    offset = Number(end64.getBigUint64(48, true));
  }
  if (size > MAX_DIRECTORY || offset + size > source.byteLength) fail('the zip directory lies outside the file');

  const directory = new DataView(await checkedSlice(source, offset, offset + size, label));
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  let claimed = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || directory.getUint32(at, true) !== CENTRAL)
      fail(`entry ${i} of ${count} of the zip directory is damaged`);
    const nameLength = directory.getUint16(at + 28, true);
    const extraLength = directory.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + directory.getUint16(at + 32, true);
    if (next > size) fail(`entry ${i} of ${count} of the zip directory is damaged`);
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameLength));
    const flags = directory.getUint16(at + 8, true);
    const method = directory.getUint16(at + 10, true);
    if (flags & 1) fail(`${name} is encrypted`);
    if (method !== 0 && method !== 8) fail(`${name} is packed by method ${method}, expected stored or deflated`);
    const sizes = wideSizes(directory, at, at + 46 + nameLength, extraLength);
    if (!sizes) return fail(`the ZIP64 sizes of ${name} are missing`);
    if (sizes.headerOffset + LOCAL_BYTES > source.byteLength || sizes.compressedLength > source.byteLength)
      fail(`${name} lies outside the file`);
    // Programs disagree about which of two is meant: what one has looked at is not what the other unpacks.
    if (entries.has(name)) fail(`${shown(name)} occurs twice`);
    entries.set(name, { name, deflated: method === 8, ...sizes });
    claimed += LOCAL_BYTES + sizes.compressedLength;
    at = next;
  }
  // One deflated block that many entries share is how a small zip becomes an endless one.
  if (claimed > source.byteLength) fail(`its entries overlap (they take ${claimed} of ${source.byteLength} bytes)`);
  return entries;
}

/** Sizes and offset of a directory entry; those of 0xffffffff are in the ZIP64 extra field, in this order. */
function wideSizes(directory: DataView, at: number, extraStart: number, extraLength: number) {
  const values = [
    directory.getUint32(at + 24, true),
    directory.getUint32(at + 20, true),
    directory.getUint32(at + 42, true),
  ];
  if (values.includes(0xffff_ffff)) {
    const extraEnd = extraStart + extraLength;
    let field = extraStart;
    while (field + 4 <= extraEnd && directory.getUint16(field, true) !== 1)
      field += 4 + directory.getUint16(field + 2, true);
    const fieldEnd = field + 4 + (field + 4 <= extraEnd ? directory.getUint16(field + 2, true) : 0);
    let from = field + 4;
    for (let k = 0; k < 3; k++) {
      if (values[k] !== 0xffff_ffff) continue;
      if (from + 8 > Math.min(fieldEnd, extraEnd)) return null;
      values[k] = Number(directory.getBigUint64(from, true));
      from += 8;
    }
  }
  return { byteLength: values[0]!, compressedLength: values[1]!, headerOffset: values[2]! };
}

/**
 * The contents of an entry: a window on the zip where it is stored, its inflated bytes in memory otherwise.
 * @throws RudolphError `bad-checkpoint` when it is damaged.
 */
export async function openZipEntry(source: ByteSource, entry: ZipEntry, label: string): Promise<ByteSource> {
  const fail = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label}: ${entry.name} ${what}; get the file again`, {
      file: label,
      entry: entry.name,
    });
  };
  const header = new DataView(await checkedSlice(source, entry.headerOffset, entry.headerOffset + LOCAL_BYTES, label));
  if (header.getUint32(0, true) !== LOCAL) fail('has no zip header where the directory says');
  const start = entry.headerOffset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + entry.compressedLength > source.byteLength) fail('ends behind the end of the file');
  if (!entry.deflated) {
    if (entry.compressedLength !== entry.byteLength) fail('is stored with two different lengths');
    return { byteLength: entry.byteLength, slice: (from, to) => checkedSlice(source, start + from, start + to, label) };
  }
  if (entry.byteLength > MAX_INFLATED)
    fail(`is deflated and ${entry.byteLength} bytes long, more than ${MAX_INFLATED}`);
  if (entry.byteLength > MAX_RATIO * (entry.compressedLength + 1))
    fail(`is to become ${entry.byteLength} bytes out of ${entry.compressedLength}, which is impossible`);
  return inflate(source, start, entry, label);
}

async function inflate(source: ByteSource, start: number, entry: ZipEntry, label: string): Promise<ByteSource> {
  const end = start + entry.compressedLength;
  let at = start;
  const packed = new ReadableStream<BufferSource>({
    pull: async (controller) => {
      if (at === end) return controller.close();
      const to = Math.min(end, at + PACKED_CHUNK);
      controller.enqueue(new Uint8Array(await checkedSlice(source, at, to, label)));
      at = to;
    },
  });
  const bytes = new Uint8Array(entry.byteLength);
  let filled = 0;
  try {
    const reader = packed.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled + value.length > bytes.length) throw new RangeError('longer than its length');
      bytes.set(value, filled);
      filled += value.length;
    }
    if (filled !== bytes.length) throw new RangeError('shorter than its length');
  } catch (cause) {
    throw new RudolphError(
      'bad-checkpoint',
      `${label}: ${entry.name} cannot be inflated; get the file again`,
      { file: label },
      { cause },
    );
  }
  return { byteLength: bytes.length, slice: async (from, to) => bytes.slice(from, to).buffer };
}
