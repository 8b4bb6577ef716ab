import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readImage, writePng } from '../../cli/support/images';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rudolph-images-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** 3×2: red, green, blue / white, black, grey. */
const PIXELS = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 128, 128, 128];
const picture = () => sharp(Uint8Array.from(PIXELS), { raw: { width: 3, height: 2, channels: 3 } });

async function read(name: string, bytes: Uint8Array | Buffer) {
  const file = join(folder, name);
  await writeFile(file, bytes);
  return readImage(file);
}

const rgb = (data: ArrayLike<number>) => Array.from(data).filter((_, i) => i % 4 !== 3);

describe('readImage', () => {
  test('PNG, lossless WebP and a palette PNG give the very pixels', async () => {
    for (const [name, bytes] of [
      ['a.png', await picture().png().toBuffer()],
      ['a.webp', await picture().webp({ lossless: true }).toBuffer()],
      ['palette.png', await picture().png({ palette: true }).toBuffer()],
    ] as const) {
      const image = await read(name, bytes);
      expect([image.width, image.height, image.data.length], name).toEqual([3, 2, 24]);
      expect(rgb(image.data), name).toEqual(PIXELS);
    }
  });

  test('alpha stays, colours are not premultiplied', async () => {
    const image = await read(
      'rgba.png',
      await sharp(Uint8Array.from([200, 100, 50, 128]), { raw: { width: 1, height: 1, channels: 4 } })
        .png()
        .toBuffer(),
    );
    expect(Array.from(image.data)).toEqual([200, 100, 50, 128]);
  });

  test('grey and 16-bit pictures become 8-bit RGBA', async () => {
    const grey = await read('grey.png', await picture().greyscale().toColourspace('b-w').png().toBuffer());
    expect(grey.data.length).toBe(24);
    expect(grey.data[0]).toBe(grey.data[1]);
    const deep = await read('deep.png', await picture().toColourspace('rgb16').png().toBuffer());
    expect(rgb(deep.data)).toEqual(PIXELS);
  });

  test('a JPEG is turned as its EXIF orientation says', async () => {
    // 16×8, left half red, right half blue; orientation 6: to be turned clockwise, so that red comes on top.
    const raw = Uint8Array.from(
      { length: 16 * 8 * 3 },
      (_, i) => (Math.floor(i / 3) % 16 < 8 ? [255, 0, 0] : [0, 0, 255])[i % 3]!,
    );
    const bytes = await sharp(raw, { raw: { width: 16, height: 8, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 100 })
      .toBuffer();
    const image = await read('turned.jpg', bytes);
    expect([image.width, image.height]).toEqual([8, 16]);
    expect(image.data[0]!).toBeGreaterThan(240);
    expect(image.data.at(-2)!).toBeGreaterThan(240);
    expect(image.data.at(-4)!).toBeLessThan(15);
  });

  test.each([
    ['text.png', Buffer.from('this is no picture')],
    ['empty.png', Buffer.alloc(0)],
    ['cut.png', null],
  ] as const)('%s gives one clear sentence', async (name, bytes) => {
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251);
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .png()
      .toBuffer();
    const error = await read(name, bytes ?? whole.subarray(0, whole.length / 2)).then(
      () => null,
      (e: Error) => e,
    );
    expect(error).toMatchObject({ name: 'RudolphError', code: 'bad-input' });
    expect(error!.message).toContain(name);
    expect(error!.message).toContain('is no picture that can be read');
    expect(error!.message).not.toContain('\n');
  });

  test('a missing file is named', async () => {
    await expect(readImage(join(folder, 'nowhere.png'))).rejects.toThrow(
      /nowhere\.png cannot be read: there is no such file/,
    );
  });
});

test('writePng writes what readImage reads', async () => {
  const data = new Uint8ClampedArray(Array.from({ length: 24 }, (_, i) => (i % 4 === 3 ? 255 : (i * 37) % 256)));
  const file = join(folder, 'written.png');
  await writePng(file, { width: 3, height: 2, data });
  expect(Array.from((await readImage(file)).data)).toEqual(Array.from(data));
  expect((await sharp(file).metadata()).channels).toBe(3);
});
