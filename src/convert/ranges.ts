import { RudolphError } from '../errors';
import type { ByteSource } from '../format/byteSource';

/** `source.slice`, but a range outside the source or a short answer is a `bad-checkpoint` naming the file. */
export async function checkedSlice(
  source: ByteSource,
  start: number,
  end: number,
  label: string,
): Promise<ArrayBuffer> {
  if (!(start >= 0 && start <= end && end <= source.byteLength)) {
    throw new RudolphError(
      'bad-checkpoint',
      `${label} is truncated or damaged: bytes ${start}…${end} of ${source.byteLength} are needed`,
      {
        file: label,
      },
    );
  }
  const bytes = await source.slice(start, end);
  if (bytes.byteLength !== end - start) {
    throw new RudolphError(
      'bad-checkpoint',
      `${label} changed while it was read: ${bytes.byteLength} of ${end - start} bytes came`,
      { file: label },
    );
  }
  return bytes;
}
