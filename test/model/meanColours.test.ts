import { expect, test } from 'vitest';
import type { PlanarImage } from '../../src/image/image';
import type { ImageTokenizer } from '../../src/model/imageTokenizer';
import { meanColours } from '../../src/model/meanColours';

const CODES = 23;
const SIDE = 4;
const FACTOR = 2;

/** Paints each token's patch in a colour of its code, brighter in one corner by what `noise` says. */
function painter(noise: (call: number) => number): { tokenizer: ImageTokenizer; drawn: number[][] } {
  const drawn: number[][] = [];
  const decode = async (indices: ArrayLike<number>): Promise<PlanarImage> => {
    drawn.push(Array.from(indices));
    const side = SIDE * FACTOR;
    const data = new Float32Array(3 * side * side);
    for (let at = 0; at < data.length; at++) {
      const [c, y, x] = [Math.floor(at / (side * side)), Math.floor(at / side) % side, at % side];
      const code = indices[Math.floor(y / FACTOR) * SIDE + Math.floor(x / FACTOR)]!;
      const corner = y % FACTOR === 0 && x % FACTOR === 0;
      data[at] = (code * (c + 1)) / 255 + (corner ? noise(drawn.length) : 0);
    }
    return { width: side, height: side, data };
  };
  return {
    tokenizer: { factor: FACTOR, side: SIDE, config: { codes: CODES }, decode } as unknown as ImageTokenizer,
    drawn,
  };
}

test("the mean of each code's patches, every code equally often", async () => {
  const { tokenizer, drawn } = painter(() => 40 / 255); // a quarter of the patch: +10 in the mean
  const colours = await meanColours(tokenizer, { rounds: 4 });
  expect(Array.from(colours)).toEqual(
    Array.from({ length: 3 * CODES }, (_, i) => Math.floor(i / 3) * ((i % 3) + 1) + 10),
  );
  const counts = new Map<number, number>();
  for (const code of drawn.flat()) counts.set(code, (counts.get(code) ?? 0) + 1);
  expect(counts.size).toBe(CODES);
  for (const [code, count] of counts) expect(count, `code ${code}`).toBeGreaterThanOrEqual(4);
  expect(drawn.flat().slice(0, CODES)).not.toEqual(Array.from({ length: CODES }, (_, i) => i));
});

test('the same places every time', async () => {
  const [first, second] = [painter(() => 0), painter(() => 0)];
  await meanColours(first.tokenizer);
  await meanColours(second.tokenizer);
  expect(first.drawn).toEqual(second.drawn);
});
