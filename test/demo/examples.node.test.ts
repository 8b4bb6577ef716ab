import { beforeAll, expect, it } from 'vitest';
import sharp from 'sharp';
import { judgeCaption } from '../../eval/captions';
import { readWorld } from '../../eval/files';
import { judgeDrawing } from '../../eval/matcher';
import { compose, isHeldOut, type Scene } from '../../eval/scene';
import type { World } from '../../eval/world';
import { EXAMPLES } from '../../src/demo/examples';

/*
 * The page's example pictures are scenes of the embedded model's world, composed of its sprites: these, pixel by pixel.
 * `WRITE_EXAMPLES=1` writes them.
 */
type Example = Pick<Scene, 'size' | 'place' | 'background' | 'text' | 'font'> & { readonly ids: readonly string[] };

const SCENES: Readonly<Record<string, Example>> = {
  'cat-house.png': { ids: ['1f431', '1f3e0'], size: 'pair', place: 'left-of', background: 'light-blue' },
  'rocket.png': { ids: ['1f680'], size: 'large', place: 'center', background: 'evening' },
  'pandas.png': { ids: ['1f43c', '1f43c', '1f43c'], size: 'count', place: 'three', background: 'pink' },
  'mushroom-between.png': {
    ids: ['1f431', '1f344', '1f98a'],
    size: 'row',
    place: 'between',
    background: 'yellow',
  },
  'robot-word.png': { ids: ['1f916'], size: 'text', place: 'under', background: 'green', text: 'привет', font: 2 },
  'crown-owl.png': { ids: ['1f451', '1f989'], size: 'pair', place: 'above', background: 'blue' },
};

let world: World;
beforeAll(async () => {
  world = await readWorld();
});

/** With every sprite at its nominal place, and the background's own colour. */
function sceneOf({ ids, ...rest }: Example): Omit<Scene, 'caption'> {
  const { layouts, backgrounds } = world.description;
  const { pixels, centers } = layouts[rest.size]![rest.place]!;
  const sprites = ids.map((id, i) => {
    const [x, y] = centers[i]!;
    return { id, bbox: [x - pixels / 2, y - pixels / 2, pixels, pixels] as const };
  });
  return { ...rest, sprites, rgb: backgrounds[rest.background]!.sky };
}

it('every example has its scene', () => {
  expect(EXAMPLES.map(({ url }) => url.replace(/^.*\//, '').replace(/\?.*$/, ''))).toEqual(Object.keys(SCENES));
});

it.each(Object.entries(SCENES))('%s is its scene, as its caption says, and held out', async (file, example) => {
  const path = `src/demo/examples/${file}`;
  const scene = sceneOf(example);
  const { width, height, data } = compose(world, scene);
  const raw = { raw: { width, height, channels: 4 as const } };
  if (process.env['WRITE_EXAMPLES']) await sharp(data, raw).removeAlpha().png({ compressionLevel: 9 }).toFile(path);
  const stored = await sharp(path).ensureAlpha().raw().toBuffer();
  expect(Buffer.compare(stored, Buffer.from(data.buffer, data.byteOffset, data.byteLength))).toBe(0);
  const drawing = judgeDrawing(world, { width, height, data }, scene);
  expect(drawing.all, JSON.stringify(drawing)).toBe(true);
  const { caption } = EXAMPLES.find(({ url }) => url.includes(file))!;
  const told = judgeCaption(world, caption, scene);
  expect(told.whole, `${caption}: ${JSON.stringify(told)}`).toBe(true);
  expect(await isHeldOut(scene)).toBe(true);
});
