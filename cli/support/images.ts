import { readFile, writeFile } from 'node:fs/promises';
import type { Sharp } from 'sharp';
import { RudolphError } from '../../src/errors';
import type { RgbaImage } from '../../src/image/image';

/** 256 MiB as RGBA. A PNG of some kilobytes may claim to unfold to thousands of times that. */
const MOST_PIXELS = 8192 * 8192;
/** Pictures of pixels. Not SVG, which may name other files. */
const FORMATS: ReadonlySet<string> = new Set(['png', 'jpeg', 'webp', 'gif', 'tiff', 'heif', 'avif', 'jp2', 'jxl']);

/**
 * Reads a PNG, JPEG, WebP or another picture of pixels that sharp can decode, turned upright as its EXIF orientation says (upstream ignores
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
  return decodeImage(bytes, file);
}

/**
 * The pixels of an encoded picture; see `readImage`.
 * @param file its name, for messages
 * @throws RudolphError `bad-input` when it is no picture.
 */
export async function decodeImage(bytes: Uint8Array, file: string): Promise<RgbaImage> {
  const sharp = await loadSharp();
  try {
    const input = sharp(bytes, { ignoreIcc: true, failOn: 'error', limitInputPixels: MOST_PIXELS });
    const { format } = await input.metadata();
    if (!FORMATS.has(format ?? '')) throw new Error(`it is ${format}`);
    const image = input.autoOrient().toColourspace('srgb').ensureAlpha();
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.channels !== 4) throw new Error(`${info.channels} channels after conversion to RGBA`);
    return {
      width: info.width,
      height: info.height,
      data: new Uint8ClampedArray(data.buffer as ArrayBuffer, data.byteOffset, data.length),
    };
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
