import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { readImage } from '../../cli/support/images';
import { readHeldOut, readWorld } from '../../eval/files';
import { judgeDrawing } from '../../eval/matcher';
import {
  compose,
  isHeldOut,
  isHeldOutSum,
  layoutOf,
  LAYOUTS,
  randomHeldOutSingle,
  randomNumbers,
  type HeldOut,
  type Scene,
} from '../../eval/scene';
import type { World } from '../../eval/world';

let world: World;
let heldOut: HeldOut;
let scenes: HeldOut['scenes'];

beforeAll(async () => {
  world = await readWorld();
  heldOut = await readHeldOut();
  ({ scenes } = heldOut);
});

/** Every n-th scene. */
const some = (step: number, offset = 0): Scene[] => scenes.filter((_, i) => i % step === offset);

describe('the world', () => {
  test('is the one that training/ describes', () => {
    expect(heldOut, 'copy training/heldout.json to test/fixtures/world').toEqual(
      JSON.parse(readFileSync('training/heldout.json', 'utf8')),
    );
    const lines = readFileSync('training/kinds.tsv', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const kinds = world.kinds.map(({ id, names }) => {
      const forms = names.map((name) => [name.nominative, name.genitive, name.instrumental, name.gender].join('/'));
      return `${id}\t${forms.join('|')}`;
    });
    const named = lines.map((line) => line.replace(/^\w+/, (id) => id.toLowerCase()));
    expect(kinds, 'run python -m training.atlas test/fixtures/world').toEqual(named);
  });

  test('of each layout training never sees the held-out scenes', async () => {
    const counts = LAYOUTS.map((layout) => scenes.filter((scene) => layoutOf(scene) === layout).length);
    expect(counts).toEqual([100, 100, 40, 40, 60]);
    for (const scene of scenes) expect(await isHeldOut(scene), scene.caption).toBe(true);
    expect(await isHeldOut({ ...scenes[0]!, background: 'white' })).toBe(false);
  });

  test('sums are marked as training sees them', async () => {
    for (const { begin, seen } of heldOut.sums) {
      const sum = begin.slice(begin.lastIndexOf('|') + 1, -1);
      expect(await isHeldOutSum(sum), sum).toBe(!seen);
    }
  });

  test('a random single scene of the held-out kind has a background of any sort and lies in the picture', async () => {
    const random = randomNumbers(1);
    const made: Scene[] = [];
    for (let i = 0; i < 40; i++) made.push(await randomHeldOutSingle(world, random));
    expect(new Set(made.map((scene) => world.isPlain(scene.background))).size).toBe(2);
    for (const { caption, sprites } of made) {
      const [left, top, width, height] = sprites[0]!.bbox;
      expect(Math.min(left, top, 128 - left - width, 128 - top - height), caption).toBeGreaterThanOrEqual(0);
    }
  });
});

describe('composing', () => {
  /** Written by `python -m training.heldout --pictures`: one of a kind on a meadow, a pair, a count, a row, a word. */
  test.each([17, 52, 146, 211, 272, 306])('held-out scene %i is what Python renders', async (number) => {
    const rendered = await readImage(`test/fixtures/world/scenes/${String(number).padStart(3, '0')}.png`);
    const { data } = compose(world, scenes[number]!);
    const differences = data.map((value, i) => Math.abs(value - rendered.data[i]!));
    // Python scales the font's own bitmaps, we those of the atlas: edges differ a little.
    expect(differences.reduce((sum, v) => sum + v, 0) / data.length).toBeLessThan(1);
    expect(Math.max(...differences)).toBeLessThan(100);
  });

  test('cuts off what hangs over the edge', () => {
    const half = { ...cherry(), sprites: [{ id: '1f352', bbox: [-40, 24, 80, 80] as const }] };
    const [cut, whole] = [compose(world, half), compose(world, cherry())];
    for (let y = 0; y < 128; y++) {
      const row = (image: typeof cut, from: number): Uint8ClampedArray =>
        image.data.subarray((y * 128 + from) * 4, (y * 128 + from + 40) * 4);
      expect(row(cut, 0), `row ${y}`).toEqual(row(whole, 64));
    }
  });
});

const cherry = (): Scene => ({
  caption: 'большая вишня в центре на белом фоне',
  sprites: [{ id: '1f352', bbox: [24, 24, 80, 80] }],
  size: 'large',
  place: 'center',
  background: 'white',
  rgb: [252, 252, 252],
});

describe('the matcher', { timeout: 300_000 }, () => {
  test('finds everything right in pictures composed as their captions say', () => {
    const wrong = some(31).flatMap((scene) => {
      const verdict = judgeDrawing(world, compose(world, scene), scene);
      return verdict.all ? [] : [`${scene.caption}: ${JSON.stringify(verdict)}`];
    });
    expect(wrong, wrong.join('\n')).toEqual([]);
  });

  test('does not find what other captions say', () => {
    const passed = some(47).filter((scene) => {
      const others = scenes.filter((other) => layoutOf(other) === layoutOf(scene));
      const other = others[(others.indexOf(scene as (typeof others)[0]) + 1) % others.length]!;
      return judgeDrawing(world, compose(world, other), scene).content;
    });
    expect(passed.map((scene) => scene.caption)).toEqual([]);
  });

  /** Which parts are right when a scene is drawn otherwise than told. */
  const judge = (scene: Scene, drawn: Partial<Scene>): string => {
    const verdict = judgeDrawing(world, compose(world, { ...scene, ...drawn }), scene);
    const parts = ['sprites', 'placed', 'alone', 'text', 'background'] as const;
    return parts.filter((part) => !verdict[part]).join(' ');
  };

  test('judges kind, place, size, background and additions of one sprite', () => {
    const judged = (drawn: Partial<Scene>): string => judge(cherry(), drawn);
    expect(judged({})).toBe('');
    expect(judged({ sprites: [{ id: '1f34e', bbox: [24, 24, 80, 80] }] }), 'another kind').toContain('sprites');
    expect(judged({ rgb: [215, 60, 55] }), 'another background').toBe('background');
    expect(judged({ background: 'morning' }), 'a meadow').toBe('background');
    expect(judged({ sprites: [{ id: '1f352', bbox: [8, 8, 80, 80] }] }), 'another place').toContain('placed');
    expect(judged({ sprites: [{ id: '1f352', bbox: [40, 40, 48, 48] }] }), 'another size').toContain('placed');
    expect(judged({ sprites: [] }), 'nothing there').toContain('sprites');
    const small = { ...cherry(), size: 'small', sprites: [{ id: '1f352', bbox: [40, 40, 48, 48] as const }] };
    const another = { id: '1f34e', bbox: [0, 0, 48, 48] as const };
    expect(judge(small, {})).toBe('');
    expect(judge(small, { sprites: [...small.sprites, another] }), 'another sprite').toBe('alone');
  });

  test('tells times of day from plain backgrounds', () => {
    const evening = { ...cherry(), background: 'evening', rgb: [245, 150, 50] as const };
    expect(judge(evening, {})).toBe('');
    expect(judge(evening, { background: 'orange' }), 'no meadow').toBe('background');
    expect(judge(evening, { rgb: [18, 18, 20] }), 'night').toBe('background');
  });

  const layouts: [string, number][] = [
    ['a pair', 100],
    ['a count', 200],
    ['a row', 240],
  ];
  test.each(layouts)('of %s each sprite must be the right one, and there', (_, number) => {
    const scene = scenes[number]!;
    const [first, ...rest] = scene.sprites;
    const stranger = world.kinds.find(({ id }) => scene.sprites.every((sprite) => sprite.id !== id))!.id;
    expect(judge(scene, {})).toBe('');
    expect(judge(scene, { sprites: [{ ...first!, id: stranger }, ...rest] }), 'a stranger').toBe('sprites');
    expect(judge(scene, { sprites: rest }), 'one is missing').toContain('sprites');
    const ids = scene.sprites.map(({ id }) => id);
    const swapped = scene.sprites.map((sprite, i) => ({ ...sprite, id: ids[(i + 1) % ids.length]! }));
    expect(judge(scene, { sprites: swapped }), 'swapped').toBe(new Set(ids).size > 1 ? 'sprites' : '');
  });

  test('counts: two are not four', () => {
    const two = scenes.find((scene) => scene.place === 'two')!;
    const four = scenes.find((scene) => scene.place === 'four')!;
    const sprites = four.sprites.map((sprite) => ({ ...sprite, id: two.sprites[0]!.id }));
    expect(judge(two, { sprites })).toContain('sprites');
    const more = [...two.sprites, ...two.sprites.map((sprite) => ({ ...sprite, bbox: [40, 0, 48, 48] as const }))];
    expect(judge(two, { sprites: more })).not.toBe('');
  });

  test('reads what is written, letter by letter', () => {
    const alone = scenes.find((scene) => scene.place === 'alone' && scene.text!.length > 3)!;
    const under = scenes.find((scene) => scene.place === 'under')!;
    for (const scene of [alone, under]) {
      expect(judge(scene, {})).toBe('');
      expect(judge(scene, { font: (scene.font! + 1) % world.fonts }), 'another font').toBe('');
      expect(judge(scene, { text: `ж${scene.text!.slice(1)}` }), 'another letter').toBe('text');
      expect(judge(scene, { text: '' }), 'nothing').toContain('text');
    }
  });
});
