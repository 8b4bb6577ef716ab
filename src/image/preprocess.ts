import { centreSquare } from './crop';
import type { PlanarImage, RgbaImage } from './image';
import { onWhite, toPlanar } from './planar';
import { resize } from './resize';

/**
 * What the image tokenizer's encoder reads, as upstream prepares it: the centre square, resized like Pillow's bilinear.
 * Differs from upstream where a picture is transparent: it is laid on white.
 * @param side pixels, 8·d
 */
export function preprocessRgba(image: RgbaImage, side: number): RgbaImage {
  return resize(onWhite(centreSquare(image)), side, side, 'bilinear');
}

/** `preprocessRgba` as planes in 0…1. */
export function preprocess(image: RgbaImage, side: number): PlanarImage {
  return toPlanar(preprocessRgba(image, side));
}
