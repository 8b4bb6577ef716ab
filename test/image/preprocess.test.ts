import { describe, expect, test } from 'vitest';
import { centreSquare } from '../../src/image/crop';
import type { RgbaImage } from '../../src/image/image';
import { onWhite, toPlanar, toRgba } from '../../src/image/planar';
import { preprocess, preprocessRgba } from '../../src/image/preprocess';

/** Red counts columns, green rows. */
function coordinates(width: number, height: number): RgbaImage {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let p = 0; p < width * height; p++) data.set([p % width, Math.floor(p / width), 0, 255], 4 * p);
  return { width, height, data };
}

describe('centreSquare', () => {
  // torchvision: (width − side) // 2, so an odd pixel is left over at the right and at the bottom.
  test.each([
    { width: 7, height: 4, left: 1, top: 0 },
    { width: 8, height: 4, left: 2, top: 0 },
    { width: 3, height: 10, left: 0, top: 3 },
    { width: 5, height: 5, left: 0, top: 0 },
  ])('$width×$height starts at ($left, $top)', ({ width, height, left, top }) => {
    const square = centreSquare(coordinates(width, height));
    const side = Math.min(width, height);
    expect([square.width, square.height]).toEqual([side, side]);
    expect(Array.from(square.data.subarray(0, 2))).toEqual([left, top]);
    expect(Array.from(square.data.slice(-4, -2))).toEqual([left + side - 1, top + side - 1]);
  });
});

describe('colours', () => {
  test('transparency shows white', () => {
    const image: RgbaImage = {
      width: 3,
      height: 1,
      data: Uint8ClampedArray.from([10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 200, 128]),
    };
    expect(Array.from(onWhite(image).data)).toEqual([255, 255, 255, 255, 10, 20, 30, 255, 127, 177, 227, 255]);
  });

  test('bytes → planes → bytes is the identity', () => {
    const data = Uint8ClampedArray.from({ length: 4 * 256 }, (_, i) => (i % 4 === 3 ? 255 : (i >> 2) ^ (i % 4)));
    const image: RgbaImage = { width: 16, height: 16, data };
    expect(Array.from(toRgba(toPlanar(image)).data)).toEqual(Array.from(data));
  });

  test('planes → bytes cuts off as upstream does', () => {
    const rgba = toRgba({ width: 1, height: 1, data: Float32Array.from([0.999, 1, 0.5]) });
    expect(Array.from(rgba.data)).toEqual([254, 255, 127, 255]);
  });
});

describe('preprocess', () => {
  test('one pixel becomes a square of its colour', () => {
    const image: RgbaImage = { width: 1, height: 1, data: Uint8ClampedArray.from([255, 51, 0, 255]) };
    const { data, width, height } = preprocess(image, 8);
    expect([width, height, data.length]).toEqual([8, 8, 192]);
    expect(new Set(data.subarray(0, 64))).toEqual(new Set([1]));
    expect(new Set(data.subarray(64, 128))).toEqual(new Set([Math.fround(0.2)]));
    expect(new Set(data.subarray(128))).toEqual(new Set([0]));
  });

  test('20 megapixels take seconds, not minutes', () => {
    const image: RgbaImage = { width: 5472, height: 3648, data: new Uint8ClampedArray(5472 * 3648 * 4).fill(200) };
    const start = performance.now();
    const small = preprocessRgba(image, 128);
    expect(performance.now() - start).toBeLessThan(10_000);
    // 200 at alpha 200 on white
    expect(new Set(small.data)).toEqual(new Set([212, 255]));
  });
});
