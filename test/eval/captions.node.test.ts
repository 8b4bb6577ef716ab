import { beforeAll, describe, expect, test } from 'vitest';
import { judgeCaption, kindsNamed, type CaptionVerdict } from '../../eval/captions';
import { readHeldOut, readWorld } from '../../eval/files';
import type { HeldOut, Judgeable } from '../../eval/scene';
import type { World } from '../../eval/world';

let world: World;
let scenes: HeldOut['scenes'];

beforeAll(async () => {
  world = await readWorld();
  ({ scenes } = await readHeldOut());
});

const CHERRY = '1f352';
const BEAR = '1f43b'; // "морда медведя", a name of two words, or "медведь"
const CAT = '1f431';
const sceneOf = (ids: readonly string[], size: string, place: string, background: string, text = ''): Judgeable => ({
  sprites: ids.map((id) => ({ id, bbox: [0, 0, 0, 0] as const })),
  size,
  place,
  background,
  text,
});
const PAIR = sceneOf([BEAR, CHERRY], 'pair', 'above', 'green');
const COUNT = sceneOf([CAT, CAT], 'count', 'two', 'night');
const ROW = sceneOf([CAT, BEAR, CHERRY], 'row', 'between', 'red');
const ALONE = sceneOf([], 'text', 'alone', 'day', 'вишня');
const WORD = sceneOf([CAT], 'text', 'under', 'day', 'слово');
const NUMBER = sceneOf([CAT], 'text', 'under', 'day', '42');
const judge = (scene: Judgeable, text: string): CaptionVerdict => judgeCaption(world, text, scene);

describe('judging captions', () => {
  test('every held-out caption is true of its scene, in every part', () => {
    for (const scene of scenes) {
      expect(judge(scene, `на картинке ${scene.caption}`), scene.caption).toEqual({
        sprites: true,
        position: true,
        size: scene.size === 'small' || scene.size === 'large' ? true : null,
        background: true,
        text: scene.text ? true : null,
        true: true,
        whole: true,
      });
    }
  });

  test('captions of other scenes are not true', () => {
    const wrong = scenes.filter((scene, i) => judge(scene, scenes[(i + 1) % scenes.length]!.caption).true);
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

  test.each([
    ['большая вишня слева вверху на белом фоне', [true, true, true, true, true, true]],
    ['вишня вверху слева', [true, true, null, null, true, false]],
    ['в левом верхнем углу вишня на белом фоне', [true, true, null, true, true, true]],
    ['на белом фоне большая вишня слева вверху', [true, true, true, true, true, true]],
    ['вишня слева', [true, false, null, null, false, false]],
    ['маленькая вишня на красном фоне', [true, null, false, false, false, false]],
    ['большой вишня слева вверху на белом фоне', [true, true, true, true, false, false]],
    ['банан слева вверху', [false, true, null, null, false, false]],
    ['вишня слева от банана', [false, false, null, null, false, false]],
    ['', [false, null, null, null, false, false]],
  ])('one sprite: «%s»', (text, expected) => {
    const verdict = judge(sceneOf([CHERRY], 'large', 'top-left', 'white'), text);
    const { sprites, position, size, background, whole } = verdict;
    expect([sprites, position, size, background, verdict.true, whole]).toEqual(expected);
  });

  const others: [Judgeable, string, unknown[]][] = [
    [PAIR, 'морда медведя над вишней на зелёном фоне', [true, true, true, true]],
    [PAIR, 'на картинке вишня под медведем на зеленом фоне', [true, true, true, true]],
    [PAIR, 'медведь и вишня', [true, null, null, true]],
    [PAIR, 'вишня над медведем на синем фоне', [true, false, false, false]],
    [PAIR, 'медведь слева от вишни', [true, false, null, false]],
    [PAIR, 'медведь над бананом', [false, false, null, false]],
    [PAIR, 'медведь', [false, null, null, false]],
    [PAIR, 'медведь над медведем', [false, false, null, false]],
    [COUNT, 'две кошки ночью', [true, true, true, true]],
    [COUNT, 'ночью два кота', [true, true, true, true]],
    [COUNT, 'три кота днём', [true, false, false, false]],
    [COUNT, 'два медведя ночью', [false, false, true, false]],
    [COUNT, 'две кота ночью', [true, true, true, false]],
    [ROW, 'медведь между кошкой и вишней на красном фоне', [true, true, true, true]],
    [ROW, 'кот, медведь и вишня', [true, null, null, true]],
    [ROW, 'кошка между медведем и вишней', [true, false, null, false]],
    [ROW, 'медведь между кошкой и бананом', [false, false, null, false]],
    [ALONE, 'слово вишня днём', [true, true, true, true]],
    [ALONE, 'слово кот днем', [true, true, true, false]],
    [ALONE, 'вишня днём', [false, null, true, false]],
    [WORD, 'кот над словом слово', [true, true, null, true]],
    [NUMBER, 'кот над числом 42 днём', [true, true, true, true]],
    [NUMBER, 'кот над словом 42', [true, true, null, false]],
    [NUMBER, 'слово 42 днём', [false, false, true, false]],
  ];
  test.each(others)('$0.size: «$1»', (scene, text, expected) => {
    const verdict = judge(scene, text);
    expect([verdict.sprites, verdict.position, verdict.background, verdict.true]).toEqual(expected);
  });

  test('what is written is judged where it is said or should be', () => {
    const written = sceneOf([CAT], 'text', 'under', 'day', 'лес');
    expect(judge(written, 'кот над словом лес днём').text).toBe(true);
    expect(judge(written, 'кот над словом лис днём').text).toBe(false);
    expect(judge(written, 'кот днём').text).toBe(false);
    expect(judge(sceneOf([CAT], 'large', 'center', 'day'), 'кот над словом лес').text).toBe(false);
  });
});
