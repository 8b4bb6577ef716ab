import type { RgbaImage } from './image';

/** The largest square in the middle, as torchvision and upstream cut it: the odd pixel is left over at the right or bottom. */
export function centreSquare(image: RgbaImage): RgbaImage {
  const side = Math.min(image.width, image.height);
  if (image.width === image.height) return image;
  const left = (image.width - side) >> 1;
  const top = (image.height - side) >> 1;
  const data = new Uint8ClampedArray(side * side * 4);
  for (let y = 0; y < side; y++) {
    const start = ((top + y) * image.width + left) * 4;
    data.set(image.data.subarray(start, start + side * 4), y * side * 4);
  }
  return { width: side, height: side, data };
}
