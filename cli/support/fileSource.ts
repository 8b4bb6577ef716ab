import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import { RudolphError } from '../../src/errors';
import type { ByteSource } from '../../src/format/byteSource';

/** A file on disk, read by ranges. `close` it when done. */
export interface FileSource extends ByteSource {
  readonly label: string;
  close(): Promise<void>;
}

/**
 * Opens a file for reading by ranges.
 * @throws RudolphError `bad-input` when there is no such file, or it cannot be read.
 */
export async function openFile(path: string): Promise<FileSource> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw unreadable(path, cause);
  }
  const stat = await file.stat();
  if (!stat.isFile()) {
    await file.close();
    throw new RudolphError(
      'bad-input',
      `${path} is ${stat.isDirectory() ? 'a folder' : 'no regular file'}, a file was expected`,
      { path },
    );
  }
  const byteLength = stat.size;
  return {
    label: basename(path),
    byteLength,
    slice: async (start, end) => {
      if (start < 0 || end < start || end > byteLength)
        throw new RangeError(`${path}: bytes ${start}…${end} of ${byteLength}`);
      const bytes = new Uint8Array(end - start);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) throw new RudolphError('bad-input', `${path} became shorter while it was read`, { path });
        filled += bytesRead;
      }
      return bytes.buffer;
    },
    close: () => file.close(),
  };
}

/** A whole file. @throws RudolphError `bad-input` when it cannot be read. */
export async function readWholeFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await openFile(path);
  try {
    return new Uint8Array(await file.slice(0, file.byteLength));
  } finally {
    await file.close();
  }
}

function unreadable(path: string, cause: unknown): RudolphError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : message;
  return new RudolphError('bad-input', `${path}: ${reason}`, { path, reason: code }, { cause });
}
