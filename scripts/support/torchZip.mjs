// Writes checkpoints as torch.save does (a ZIP64 of stored entries), piece by piece: any size needs little memory.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { runnerImport } from 'vite';

const { pickle, zipEnd, zipHeader } = (await runnerImport('./test/support/torchFiles.ts')).module;

/** torch begins tensors at multiples of it, so that they can be mapped into memory. */
const ALIGNMENT = 64;
const BYTES = { f16: 2, f32: 4, bool: 1 };

/** A tensor's bytes. */
export const byteLengthOf = ({ dtype, shape }) => shape.reduce((product, n) => product * n, BYTES[dtype]);

/**
 * @param path of the file to write
 * @param tensors `{ key, dtype, shape, pieces? }` in the order of the state dict; `pieces()` gives the bytes one after the other. Without
 * it the tensor is a hole in a sparse file: zeros that take no disk.
 * @param wrap makes the pickled object of the state dict (a Map), by default the state dict itself
 * @returns bytes of the file
 */
export function writeTorchZip(path, tensors, wrap = (state) => state) {
  const state = new Map(
    tensors.map(({ key, dtype, shape }) => {
      const claims = shape.reduce((product, n) => product * n, 1);
      return [key, { dtype, shape, data: new Uint8Array(0), claims }];
    }),
  );
  const one = (bytes) => ({ length: bytes.length, pieces: () => [bytes] });
  const entries = [
    { name: 'archive/data.pkl', ...one(pickle(wrap(state))) },
    ...tensors.map((tensor, i) => ({
      name: `archive/data/${i}`,
      length: byteLengthOf(tensor),
      pieces: tensor.pieces,
    })),
    { name: 'archive/version', ...one(new TextEncoder().encode('3\n')) },
  ];
  const file = openSync(path, 'w');
  try {
    const write = (bytes, position) => {
      for (let done = 0; done < bytes.length;)
        done += writeSync(file, bytes, done, bytes.length - done, position + done);
      return position + bytes.length;
    };
    const directory = [];
    let at = 0;
    for (const { name, length, pieces } of entries) {
      const plain = zipHeader(name, { zip64: true }, length, length, null).length;
      let padding = ALIGNMENT - ((at + plain) % ALIGNMENT);
      if (padding < 4) padding += ALIGNMENT;
      let end = at + plain + padding;
      let crc = 0;
      if (pieces) {
        for (const piece of pieces()) {
          crc = crc32(piece, crc);
          end = write(piece, end);
        }
        if (end !== at + plain + padding + length) throw new Error(`${name}: wrong number of bytes`);
      } else end += length;
      write(zipHeader(name, { zip64: true, crc, padding }, length, length, null), at);
      directory.push(zipHeader(name, { zip64: true, crc }, length, length, at));
      at = end;
    }
    const offset = at;
    for (const entry of directory) at = write(entry, at);
    at = write(zipEnd(directory, offset, true), at);
    ftruncateSync(file, at);
    return at;
  } finally {
    closeSync(file);
  }
}
