import { describe, expect, it } from 'vitest';
import { readPicture, type RgbaImage, toBlob, toImageData } from '../../src/index';

/** Every pixel another colour: what is mirrored, turned or cut shows. */
function gradient(width: number, height: number): RgbaImage {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set([x % 256, y % 256, (x >> 8) * 16 + (y >> 8), 255], (y * width + x) * 4);
  }
  return { width, height, data };
}

function expectSame(actual: RgbaImage, expected: RgbaImage): void {
  expect([actual.width, actual.height]).toEqual([expected.width, expected.height]);
  const wrong = actual.data.findIndex((value, i) => value !== expected.data[i]);
  expect(wrong < 0 ? 'equal' : `byte ${wrong}: ${actual.data[wrong]}, expected ${expected.data[wrong]}`).toBe('equal');
}

const small = gradient(30, 20);

describe('readPicture', () => {
  it('reads a PNG', async () => expectSame(await readPicture(await toBlob(small)), small));

  it('reads ImageData and an ImageBitmap', async () => {
    expectSame(await readPicture(toImageData(small)), small);
    const bitmap = await createImageBitmap(toImageData(small));
    expectSame(await readPicture(bitmap), small);
    expect(bitmap.width).toBe(30); // still the caller's
  });

  it('reads an image element and a canvas', async () => {
    const img = new Image();
    img.src = URL.createObjectURL(await toBlob(small));
    await img.decode();
    expectSame(await readPicture(img), small);
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [30, 20];
    canvas.getContext('2d')!.putImageData(toImageData(small), 0, 0);
    expectSame(await readPicture(canvas), small);
  });

  it('turns a photo upright as its EXIF says', async () => {
    const canvas = new OffscreenCanvas(32, 16);
    const context = canvas.getContext('2d')!;
    context.fillStyle = '#f00';
    context.fillRect(0, 0, 16, 16);
    context.fillStyle = '#00f';
    context.fillRect(16, 0, 16, 16);
    const jpeg = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 1 })).arrayBuffer());
    // APP1 with one entry: orientation 6, to be turned clockwise by 90°.
    const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    const exif = [0x45, 0x78, 0x69, 0x66, 0, 0, ...tiff];
    const file = new Uint8Array([0xff, 0xd8, 0xff, 0xe1, 0, exif.length + 2, ...exif, ...jpeg.subarray(2)]);
    const picture = await readPicture(new Blob([file], { type: 'image/jpeg' }));
    expect([picture.width, picture.height]).toEqual([16, 32]);
    const [top, bottom] = [picture.data.subarray(4 * 8), picture.data.subarray(4 * (16 * 31 + 8))];
    expect(top[0]).toBeGreaterThan(200); // red, formerly left
    expect(bottom[2]).toBeGreaterThan(200);
  });

  it('shrinks a picture above the limit, in its proportions', async () => {
    const [width, height] = [5001, 3600];
    const picture = await readPicture(await toBlob(gradient(width, height)));
    expect(picture.width * picture.height).toBeLessThanOrEqual(4096 * 4096);
    expect(picture.width * picture.height).toBeGreaterThan(4090 * 4090);
    expect(picture.width / picture.height).toBeCloseTo(width / height, 3);
  });

  it('says what cannot be read', async () => {
    const error = { code: 'bad-input', message: expect.stringContaining('text/plain, 3 bytes') };
    await expect(readPicture(new Blob(['abc'], { type: 'text/plain' }))).rejects.toMatchObject(error);
    await expect(readPicture(null as never)).rejects.toMatchObject({ code: 'bad-input' });
  });
});
