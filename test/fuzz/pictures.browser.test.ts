import { expect, it } from 'vitest';
import { readPicture, RudolphError } from '../../src/index';
import { mutateBytes } from './bytes';
import { Dice } from './dice';

const INPUTS = 300;

/** A small picture in a format of the browser. */
async function encoded(type: string): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(40, 30);
  const context = canvas.getContext('2d')!;
  const pixels = context.createImageData(40, 30);
  pixels.data.forEach((_, i) => (pixels.data[i] = (i * 7919) >> 3));
  context.putImageData(pixels, 0, 0);
  return new Uint8Array(await (await canvas.convertToBlob({ type })).arrayBuffer());
}

it.each(['image/png', 'image/jpeg', 'image/webp'])(
  'mutated pictures (%s) are read, or refused by a RudolphError, by the browser too',
  async (type) => {
    const original = await encoded(type);
    let read = 0;
    for (let index = 0; index < INPUTS; index++) {
      const bytes = mutateBytes(new Dice(1, index), original, [original]);
      try {
        const { width, height, data } = await readPicture(new Blob([bytes.slice()], { type }));
        expect(data.length).toBe(width * height * 4);
        read++;
      } catch (error) {
        if (!(error instanceof RudolphError) || error.code !== 'bad-input') throw error;
      }
    }
    // Neither all nor none: the changes reach the decoder.
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(INPUTS);
  },
);
