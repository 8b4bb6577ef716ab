import { RudolphError } from '../errors';
import type { ModelConfig } from '../format/manifest';
import type { RgbaImage } from '../image/image';
import { centreSquare } from '../image/crop';
import { preprocess } from '../image/preprocess';
import { Attempt } from './journal';
import type { LoadedModel } from './loadedModel';
import type { Borders, PictureTokens, ProgressEvent, TaskContext } from './types';

/**
 * The d² image tokens of pictures: encoded where they are pixels (upstream's `vae.get_codebook_indices` after its
 * preprocessing), checked where they are tokens already.
 * @throws RudolphError `bad-input` for pixels or tokens out of range, `unsupported` without an image encoder.
 */
export async function imageTokens(
  model: LoadedModel,
  pictures: readonly PictureTokens[],
  { signal, onEvent, attempt = new Attempt() }: TaskContext<ProgressEvent<'image'>>,
): Promise<number[][]> {
  const { config } = model.manifest;
  pictures.forEach((picture, k) =>
    checkPicture(config, picture, pictures.length > 1 ? `picture ${k + 1}` : 'the picture'),
  );
  const total = pictures.filter((picture) => !isTokens(picture)).length;
  const result: number[][] = [];
  let done = 0;
  for (const picture of pictures) {
    if (isTokens(picture)) {
      result.push([...picture]);
      continue;
    }
    onEvent?.({ type: 'progress', stage: 'image', done, total });
    const { value } = await attempt.once(async () => {
      const encoder = await model.encoder(signal);
      const prepared = preprocess(picture, config.imageSide * encoder.factor);
      return (await encoder.encode(prepared, signal ? { signal } : {})).indices;
    });
    result.push(Array.from(value));
    onEvent?.({ type: 'progress', stage: 'image', done: ++done, total });
  }
  return result;
}

function isTokens(picture: PictureTokens): picture is readonly number[] {
  return Array.isArray(picture);
}

/** @throws RudolphError `bad-input`, in which the picture is called `what`, for too few pixels or tokens, or ids that are no codes. */
export function checkPicture(config: ModelConfig, picture: PictureTokens, what: string): void {
  const { imageSide, imageVocabulary, imageSpecialTokens } = config;
  if (isTokens(picture)) {
    if (picture.length !== imageSide ** 2)
      throw new RudolphError('bad-input', `${what} has ${picture.length} image tokens, expected ${imageSide ** 2}`);
    const codes = imageVocabulary - imageSpecialTokens;
    const wrong = picture.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < codes));
    if (wrong >= 0)
      throw new RudolphError(
        'bad-input',
        `token ${wrong} of ${what} is ${picture[wrong]}, expected an image id from 0 to ${codes - 1}`,
      );
    return;
  }
  checkPixels(picture, what);
}

function checkPixels(image: RgbaImage, what: string): void {
  if (typeof image !== 'object' || image === null || !('data' in image))
    throw new RudolphError('bad-input', `${what} is neither pixels ({width, height, data}) nor an array of numbers`);
  if (!isSide(image.width) || !isSide(image.height) || image.data?.length !== image.width * image.height * 4) {
    throw new RudolphError(
      'bad-input',
      `${what} is ${image.width}×${image.height} with ${image.data?.length} bytes, expected width · height · 4`,
    );
  }
}

function isSide(side: unknown): boolean {
  return Number.isInteger(side) && (side as number) >= 1;
}

/**
 * Which tokens are drawn anew, d² flags row by row, when borders are kept (upstream's `ImagePrompts`).
 * @throws RudolphError `bad-input` for what are no borders, or borders wider than the picture.
 */
export function besideBorders({ imageSide: side }: ModelConfig, borders: Borders): boolean[] {
  if (typeof borders !== 'object' || borders === null)
    throw new RudolphError(
      'bad-input',
      `the borders are ${String(borders)}, expected how many tokens to keep at each, e.g. { up: ${side / 2} }`,
    );
  const { up = 0, right = 0, down = 0, left = 0 } = borders;
  for (const [name, width] of Object.entries({ up, right, down, left })) {
    if (!(Number.isInteger(width) && width >= 0 && width <= side))
      throw new RudolphError('bad-input', `the border ${name} is ${width}, expected 0 to ${side} tokens`);
  }
  return Array.from({ length: side * side }, (_, t) => {
    const [row, column] = [Math.floor(t / side), t % side];
    return row >= up && row < side - down && column >= left && column < side - right;
  });
}

/**
 * Which tokens are drawn anew, d² flags row by row: those with a white pixel of the mask in their square.
 * @param picture what the mask was painted over, where it is pixels.
 * @throws RudolphError `bad-input` for a mask of other proportions or size.
 */
export function underMask(
  { imageSide: side }: ModelConfig,
  mask: RgbaImage | readonly number[],
  picture: PictureTokens,
): boolean[] {
  if (Array.isArray(mask)) {
    const values = mask as readonly number[];
    if (values.length !== side * side || !values.every((value) => value === 0 || value === 1))
      throw new RudolphError('bad-input', `the mask has ${values.length} values, expected ${side * side}, each 0 or 1`);
    return values.map((value) => value === 1);
  }
  const image = mask as RgbaImage;
  checkPixels(image, 'the mask');
  if (!isTokens(picture)) {
    // Rounding is allowed: a mask may be a smaller copy.
    const expected = (image.width * picture.height) / picture.width;
    if (Math.abs(image.height - expected) >= 1)
      throw new RudolphError(
        'bad-input',
        `the mask is ${image.width}×${image.height}, the picture ${picture.width}×${picture.height}: their proportions must be the same`,
      );
  }
  const square = centreSquare(image);
  const edge = (token: number): number => (token * square.width) / side;
  return Array.from({ length: side * side }, (_, t) => {
    const [row, column] = [Math.floor(t / side), t % side];
    for (let y = Math.floor(edge(row)); y < edge(row + 1); y++) {
      for (let x = Math.floor(edge(column)); x < edge(column + 1); x++) {
        if (isWhite(square, (y * square.width + x) * 4)) return true;
      }
    }
    return false;
  });
}

function isWhite({ data }: RgbaImage, at: number): boolean {
  return data[at + 3]! >= 128 && 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]! >= 127.5;
}
