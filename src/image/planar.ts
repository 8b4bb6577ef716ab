import type { PlanarImage, RgbaImage } from './image';

/** Composites on white: upstream drops alpha, which shows whatever colour lies behind transparent pixels. */
export function onWhite(image: RgbaImage): RgbaImage {
  const { width, height } = image;
  const data = new Uint8ClampedArray(image.data);
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3]!;
    if (alpha === 255) continue;
    for (let c = at; c < at + 3; c++) data[c] = (data[c]! * alpha + 255 * (255 - alpha)) / 255;
    data[at + 3] = 255;
  }
  return { width, height, data };
}

/** RGBA bytes → planes of R, G, B in 0…1 (as torchvision's ToTensor); alpha is ignored. */
export function toPlanar(image: RgbaImage): PlanarImage {
  const { width, height } = image;
  const pixels = width * height;
  const data = new Float32Array(3 * pixels);
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < 3; c++) data[c * pixels + p] = image.data[4 * p + c]! / 255;
  }
  return { width, height, data };
}

/**
 * Planes in 0…1 → RGBA bytes. Like upstream (torchvision's to_pil_image), 255·x is cut off, not rounded: 0.999 becomes 254.
 */
export function toRgba(image: PlanarImage): RgbaImage {
  const { width, height } = image;
  const pixels = width * height;
  const data = new Uint8ClampedArray(4 * pixels);
  for (let p = 0; p < pixels; p++) {
    // The product is rounded to f32 first, as PyTorch's is.
    for (let c = 0; c < 3; c++) data[4 * p + c] = Math.trunc(Math.fround(255 * image.data[c * pixels + p]!));
    data[4 * p + 3] = 255;
  }
  return { width, height, data };
}
