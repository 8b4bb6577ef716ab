import { beforeAll, expect, it } from 'vitest';
import sharp from 'sharp';
import { readWorld } from '../../eval/files';
import { judgeDrawing } from '../../eval/matcher';
import { compose, type Scene } from '../../eval/scene';
import type { World } from '../../eval/world';
import { EXAMPLES } from '../../src/demo/examples';

/*
 * The page's example pictures are scenes of the embedded model's world, composed of its sprites: these, pixel by pixel.
 * `WRITE_EXAMPLES=1` writes them.
 */
type Composed = Omit<Scene, 'caption' | 'rgb'>;
const LEFT_OF = [
  [8, 40, 48, 48],
  [72, 40, 48, 48],
] as const;
const ABOVE = [
  [40, 8, 48, 48],
  [40, 72, 48, 48],
] as const;

const SCENES: Readonly<Record<string, Composed>> = {
  'cat-fir.png': pair('1f431', '1f384', 'left-of', 'light-blue'),
  'cherries.png': single('1f352', 'large', [24, 24, 80, 80], 'center', 'white'),
  'crown-tiger.png': pair('1f451', '1f42f', 'above', 'blue'),
  'fox.png': single('1f98a', 'small', [40, 72, 48, 48], 'bottom', 'green'),
  'butterfly-mushroom.png': pair('1f98b', '1f344', 'above', 'yellow'),
  'snowman.png': single('26c4', 'large', [48, 24, 80, 80], 'right', 'purple'),
};

function single(
  id: string,
  size: string,
  bbox: [number, number, number, number],
  place: string,
  background: string,
): Composed {
  return { sprites: [{ id, bbox }], size, place, background };
}

function pair(first: string, second: string, relation: 'left-of' | 'above', background: string): Composed {
  const [a, b] = relation === 'left-of' ? LEFT_OF : ABOVE;
  return {
    sprites: [
      { id: first, bbox: a },
      { id: second, bbox: b },
    ],
    size: 'pair',
    place: relation,
    background,
  };
}

let world: World;
beforeAll(async () => {
  world = await readWorld();
});

it('every example has its scene', () => {
  expect(EXAMPLES.map(({ url }) => url.replace(/^.*\//, '').replace(/\?.*$/, ''))).toEqual(Object.keys(SCENES));
});

it.each(Object.entries(SCENES))('%s is its scene', async (file, scene) => {
  const path = `src/demo/examples/${file}`;
  const { width, height, data } = compose(world, {
    ...scene,
    rgb: world.description.backgrounds[scene.background]!.sky,
  });
  const raw = { raw: { width, height, channels: 4 as const } };
  if (process.env['WRITE_EXAMPLES']) await sharp(data, raw).removeAlpha().png({ compressionLevel: 9 }).toFile(path);
  const stored = await sharp(path).ensureAlpha().raw().toBuffer();
  expect(Buffer.compare(stored, Buffer.from(data.buffer, data.byteOffset, data.byteLength))).toBe(0);
  const verdict = judgeDrawing(world, { width, height, data }, scene);
  expect(verdict.all, JSON.stringify(verdict)).toBe(true);
});
