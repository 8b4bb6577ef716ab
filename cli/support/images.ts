import { readFile, writeFile } from 'node:fs/promises';
import type { Sharp } from 'sharp';
import { RudolphError } from '../../src/errors';
import type { RgbaImage } from '../../src/image/image';

/**
 * Reads a PNG, JPEG, WebP or whatever else sharp can decode, turned upright as its EXIF orientation says (upstream ignores
 * that). Colour profiles are ignored, as Pillow and the browser's `colorSpaceConversion: 'none'` do.
 * @throws RudolphError `bad-input` when the file cannot be read or is no picture.
 */
export async function readImage(file: string): Promise<RgbaImage> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message;
    throw new RudolphError('bad-input', `the picture ${file} cannot be read: ${reason}`, { file }, { cause });
  }
  const sharp = await loadSharp();
  try {
    const image = sharp(bytes, { ignoreIcc: true, failOn: 'error' }).autoOrient().toColourspace('srgb').ensureAlpha();
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.channels !== 4) throw new Error(`${info.channels} channels after conversion to RGBA`);
    return { width: info.width, height: info.height, data: new Uint8ClampedArray(data) };
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0]!.trim().replace(/:$/, '');
    throw new RudolphError(
      'bad-input',
      `${file} is no picture that can be read (PNG, JPEG and WebP can), or it is damaged: ${reason}`,
      { file },
      { cause },
    );
  }
}

/** Writes an opaque PNG. */
export async function writePng(file: string, image: RgbaImage): Promise<void> {
  const sharp = await loadSharp();
  const raw = { width: image.width, height: image.height, channels: 4 } as const;
  const bytes = await sharp(image.data, { raw }).removeAlpha().png().toBuffer();
  await writeFile(file, bytes);
}

/** Only loaded when a picture is handled: a missing native module must not stop the other commands. */
async function loadSharp(): Promise<(input: Uint8Array | Uint8ClampedArray, options?: object) => Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new RudolphError(
      'unsupported',
      `pictures need the npm package "sharp", which cannot be loaded on ${process.platform} ${process.arch}: ${(cause as Error).message.split('\n')[0]}`,
      {},
      { cause },
    );
  }
}
