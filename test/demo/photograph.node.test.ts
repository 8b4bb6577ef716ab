import { readdirSync } from 'node:fs';
import sharp, { type Sharp } from 'sharp';
import { expect, it } from 'vitest';
import { isLikePhotograph } from '../../src/demo/photograph';

const SIDE = 128;

async function pixels(picture: Sharp): Promise<Parameters<typeof isLikePhotograph>[0]> {
  const { data, info } = await picture.resize(SIDE, SIDE).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8ClampedArray(data) };
}

const EXAMPLES = readdirSync('src/demo/examples').filter((name) => name.endsWith('.png'));

it('there are examples', () => expect(EXAMPLES.length).toBeGreaterThan(4));

it.each(EXAMPLES)('%s is none, also not as a JPEG', async (name) => {
  const picture = sharp(`src/demo/examples/${name}`);
  expect(isLikePhotograph(await pixels(picture))).toBe(false);
  expect(isLikePhotograph(await pixels(sharp(await picture.jpeg({ quality: 85 }).toBuffer())))).toBe(false);
});

/** Light that falls off over a scene, and the grain of a sensor: about 2 % of full scale. */
function scene(grain: number): Sharp {
  let state = 1;
  const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5;
  const data = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, k) => {
    const [x, y] = [Math.floor(k / 3) % SIDE, Math.floor(k / 3 / SIDE)];
    return 90 + x / 2 + 40 * Math.sin(y / 9) + grain * random();
  });
  return sharp(data, { raw: { width: SIDE, height: SIDE, channels: 3 } });
}

it('what a camera would see is one; without its grain the even areas show', async () => {
  expect(isLikePhotograph(await pixels(scene(12)))).toBe(true);
  expect(isLikePhotograph(await pixels(scene(0)))).toBe(false);
});
