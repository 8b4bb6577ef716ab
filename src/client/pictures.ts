import { RudolphError } from '../errors';
import type { RgbaImage } from '../image/image';
import type { PictureTokens } from '../tasks/types';

/** iOS Safari's limit for a canvas, the lowest of all browsers; larger pictures are shrunk. */
const MOST_PIXELS = 4096 * 4096;

/**
 * Everything that can be read as a picture: a `Blob` or `File` (PNG, JPEG, WebP, AVIF, GIF, whatever the browser decodes),
 * `ImageData`, an `ImageBitmap`, an `<img>`, `<canvas>` or `<video>` element, or pixels.
 */
export type Picture = ImageBitmapSource | RgbaImage;

/**
 * Decodes a picture without colour conversion and upright (EXIF).
 * @throws RudolphError `bad-input` when the browser cannot decode it, or may not read its pixels (another site's picture without CORS).
 */
export async function readPicture(picture: Picture, signal?: AbortSignal): Promise<RgbaImage> {
  if (typeof picture !== 'object' || picture === null) {
    throw new RudolphError(
      'bad-input',
      `there is no picture to read (${String(picture)}); give a file, an image or pixels`,
    );
  }
  if (isPixels(picture)) return picture;
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(picture as ImageBitmapSource, {
      premultiplyAlpha: 'none',
      colorSpaceConversion: 'none',
      imageOrientation: 'from-image',
    });
  } catch (cause) {
    throw new RudolphError(
      'bad-input',
      `the picture${nameOf(picture)} cannot be read: this browser cannot decode it (${messageOf(cause)}). PNG, JPEG and WebP work everywhere`,
      {},
      { cause },
    );
  }
  try {
    signal?.throwIfAborted();
    return pixelsOf(bitmap);
  } finally {
    bitmap.close();
  }
}

/** Reads the pictures of one task and knows whose pixels may be given to the worker. */
export class PictureReader {
  /** Pixels decoded here; the caller's own are copied. */
  readonly transfer: ArrayBuffer[] = [];
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** @throws what `readPicture` throws. */
  async read(picture: Picture | readonly number[]): Promise<PictureTokens> {
    if (Array.isArray(picture)) return picture as readonly number[];
    // Callers without types may hand over tokens in a typed array.
    if (ArrayBuffer.isView(picture)) return Array.from(picture as unknown as Uint32Array);
    const { width, height, data } = await readPicture(picture as Picture, this.#signal);
    if ((picture as Partial<RgbaImage>).data !== data) this.transfer.push(data.buffer);
    return { width, height, data };
  }
}

/**
 * For a canvas: `context.putImageData(toImageData(image), 0, 0)`. Shares the pixels' memory.
 */
export function toImageData(image: RgbaImage): ImageData {
  return new ImageData(image.data, image.width, image.height);
}

/**
 * A PNG, for a download, the clipboard or an `<img>`:
 *
 * ```ts
 * img.src = URL.createObjectURL(await toBlob(images[0]));
 * ```
 */
export function toBlob(image: RgbaImage): Promise<Blob> {
  const canvas = new OffscreenCanvas(image.width, image.height);
  context2d(canvas).putImageData(toImageData(image), 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}

function pixelsOf(bitmap: ImageBitmap): RgbaImage {
  const { width, height } = bitmap;
  // Proportions stay: a mask painted over a smaller copy must still fit.
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const [toWidth, toHeight] = [Math.max(1, Math.floor(width * scale)), Math.max(1, Math.floor(height * scale))];
  const context = context2d(new OffscreenCanvas(toWidth, toHeight));
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, toWidth, toHeight);
  try {
    const { data } = context.getImageData(0, 0, toWidth, toHeight);
    return { width: toWidth, height: toHeight, data: data as Uint8ClampedArray<ArrayBuffer> };
  } catch (cause) {
    throw new RudolphError(
      'bad-input',
      'the pixels of the picture may not be read: it comes from another site, which does not allow it. Save it and open the file, or load it with crossorigin="anonymous" where the site sends CORS headers',
      {},
      { cause },
    );
  }
}

function context2d(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) {
    throw new RudolphError(
      'bad-input',
      `a picture of ${canvas.width}×${canvas.height} pixels is too large for this browser`,
    );
  }
  return context;
}

/** Also true for `ImageData`, unless it holds floats. */
function isPixels(picture: Picture): picture is RgbaImage {
  return 'data' in picture && picture.data instanceof Uint8ClampedArray;
}

function nameOf(picture: Picture): string {
  if (!(picture instanceof Blob)) return '';
  const { name } = picture as Partial<File>;
  return `${name ? ` ${name}` : ''} (${picture.type || 'unknown type'}, ${picture.size} bytes)`;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
