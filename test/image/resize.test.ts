import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { RgbaImage } from '../../src/image/image';
import { resize, type ResizeFilter } from '../../src/image/resize';

interface Case {
  readonly name: string;
  readonly filter: ResizeFilter;
  readonly width: number;
  readonly height: number;
  /** RGB bytes, base64. */
  readonly pixels: string;
  readonly outWidth: number;
  readonly outHeight: number;
  readonly expected: string;
}

/** Computed with Pillow 13: `Image.resize` of random RGB pictures. */
const cases = JSON.parse(readFileSync(new URL('../fixtures/resize/pillow.json', import.meta.url), 'utf8')) as Case[];

function rgba(width: number, height: number, rgb: Uint8Array): RgbaImage {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let p = 0; p < width * height; p++) data.set([rgb[3 * p]!, rgb[3 * p + 1]!, rgb[3 * p + 2]!, 0], 4 * p);
  return { width, height, data };
}

describe('resize, bit for bit as Pillow', () => {
  test.each(cases)('$filter: $name', ({ filter, width, height, pixels, outWidth, outHeight, expected }) => {
    const result = resize(rgba(width, height, Buffer.from(pixels, 'base64')), outWidth, outHeight, filter);
    expect([result.width, result.height]).toEqual([outWidth, outHeight]);
    const rgb = Array.from(result.data).filter((_, i) => i % 4 !== 3);
    expect(rgb).toEqual(Array.from(Buffer.from(expected, 'base64')));
    expect(result.data.filter((_, i) => i % 4 === 3).every((alpha) => alpha === 255)).toBe(true);
  });

  test('leaves its input alone', () => {
    const image = rgba(
      2,
      2,
      Uint8Array.from({ length: 12 }, (_, i) => i),
    );
    const before = Array.from(image.data);
    resize(image, 2, 2, 'bilinear');
    resize(image, 2, 5, 'bicubic');
    expect(Array.from(image.data)).toEqual(before);
  });

  test('refuses an empty picture', () => {
    expect(() => resize(rgba(0, 0, new Uint8Array()), 8, 8, 'bilinear')).toThrow(/from 0×0 to 8×8/);
  });
});
