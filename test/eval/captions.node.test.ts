import { beforeAll, describe, expect, test } from 'vitest';
import { judgeCaption, kindsNamed } from '../../eval/captions';
import { readHeldOut, readWorld } from '../../eval/files';
import type { Scene } from '../../eval/scene';
import type { World } from '../../eval/world';

let world: World;
let scenes: Scene[];

beforeAll(async () => {
  world = await readWorld();
  scenes = await readHeldOut();
});

const single = (id: string, size: string, place: string, background: string): Omit<Scene, 'caption' | 'rgb'> => ({
  sprites: [{ id, bbox: [0, 0, 0, 0] }],
  size,
  place,
  background,
});
/** A bear's head (a name of two words) above a cherry. */
const PAIR: Omit<Scene, 'caption' | 'rgb'> = {
  sprites: [
    { id: '1f43b', bbox: [0, 0, 0, 0] },
    { id: '1f352', bbox: [0, 0, 0, 0] },
  ],
  size: 'pair',
  place: 'above',
  background: 'green',
};

describe('judging captions', () => {
  test('every held-out caption is true of its scene, in every part', () => {
    for (const scene of scenes) {
      const { relation, place, size, ...rest } = judgeCaption(world, `на картинке ${scene.caption}`, scene);
      expect(rest, scene.caption).toEqual({ sprites: true, background: true, true: true });
      if (scene.sprites.length === 2) expect([relation, place, size], scene.caption).toEqual([true, null, null]);
      else expect([relation, place, size], scene.caption).toEqual([null, true, scene.size === 'medium' ? null : true]);
    }
  });

  test('captions of other scenes are not true', () => {
    const wrong = scenes.filter(
      (scene, i) => judgeCaption(world, scenes[(i + 1) % scenes.length]!.caption, scene).true,
    );
    expect(wrong.map((scene) => scene.caption)).toEqual([]);
  });

  test('no form of a name means two kinds', () => {
    const shared = world.kinds.flatMap((kind) =>
      kind.names.flatMap((name) =>
        [name.nominative, name.genitive, name.instrumental].filter((form) => kindsNamed(world, form).length !== 1),
      ),
    );
    expect(shared).toEqual([]);
  });

  test('knows synonyms, cases, е for ё, both directions of a relation', () => {
    const parts = (text: string): unknown => {
      const { sprites, relation, background } = judgeCaption(world, text, PAIR);
      return [sprites, relation, background];
    };
    expect(parts('морда медведя над вишней на зелёном фоне')).toEqual([true, true, true]);
    expect(parts('на картинке вишня под медведем на зеленом фоне')).toEqual([true, true, true]);
    expect(parts('медведь и вишня')).toEqual([true, null, null]);
    expect(parts('вишня над медведем на синем фоне')).toEqual([true, false, false]);
    expect(parts('медведь слева от вишни')).toEqual([true, false, null]);
    expect(parts('медведь над бананом')).toEqual([false, false, null]);
    expect(parts('медведь')).toEqual([false, null, null]);
    expect(parts('')).toEqual([false, null, null]);
  });

  test('of one sprite judges place, size and background where they are said', () => {
    const parts = (text: string): unknown => {
      const { sprites, place, size, background, ...rest } = judgeCaption(
        world,
        text,
        single('1f352', 'large', 'top-left', 'white'),
      );
      return [sprites, place, size, background, rest.true];
    };
    expect(parts('большая вишня слева вверху на белом фоне')).toEqual([true, true, true, true, true]);
    expect(parts('вишня вверху слева')).toEqual([true, true, null, null, true]);
    expect(parts('в левом верхнем углу вишня на белом фоне')).toEqual([true, true, null, true, true]);
    expect(parts('вишня слева')).toEqual([true, false, null, null, false]);
    expect(parts('маленькая вишня на красном фоне')).toEqual([true, null, false, false, false]);
    expect(parts('банан слева вверху')).toEqual([false, true, null, null, false]);
    expect(parts('вишня слева от банана')).toEqual([false, false, null, null, false]);
  });
});
