import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../src/format/manifest';
import type { RgbaImage } from '../../src/image/image';
import { besideBorders, underMask } from '../../src/tasks/pictures';
import type { Borders } from '../../src/tasks/types';

const config = { imageSide: 4 } as ModelConfig;

/** Rows of a token grid as text: # is drawn anew. */
const grid = (flags: readonly boolean[]): string[] =>
  Array.from({ length: 4 }, (_, row) =>
    flags
      .slice(row * 4, row * 4 + 4)
      .map((anew) => (anew ? '#' : '.'))
      .join(''),
  );

/** A mask from rows of letters: W white, B black, T transparent white, G dark grey, L light grey. */
function mask(rows: readonly string[]): RgbaImage {
  const colours: Record<string, number[]> = {
    W: [255, 255, 255, 255],
    B: [0, 0, 0, 255],
    T: [255, 255, 255, 0],
    G: [120, 120, 120, 255],
    L: [140, 140, 140, 255],
  };
  const data = Uint8ClampedArray.from(rows.flatMap((row) => [...row].flatMap((letter) => colours[letter]!)));
  return { width: rows[0]!.length, height: rows.length, data };
}

const picture = (width: number, height: number): RgbaImage => ({
  width,
  height,
  data: new Uint8ClampedArray(width * height * 4),
});

describe('borders that are kept', () => {
  it('leave the middle to be drawn', () => {
    expect(grid(besideBorders(config, { up: 1, left: 1 }))).toEqual(['....', '.###', '.###', '.###']);
    expect(grid(besideBorders(config, { right: 2, down: 1 }))).toEqual(['##..', '##..', '##..', '....']);
    expect(besideBorders(config, {}).every(Boolean)).toBe(true);
    expect(besideBorders(config, { up: 2, down: 2 }).some(Boolean)).toBe(false);
  });

  it('must be whole tokens of the picture', () => {
    for (const up of [-1, 5, 0.5]) expect(() => besideBorders(config, { up })).toThrow(/border up is/);
    for (const borders of [null, 2, 'up'])
      expect(() => besideBorders(config, borders as Borders)).toThrow(/the borders are .*expected/);
  });
});

describe('a mask', () => {
  it('marks every token with a white pixel', () => {
    const rows = Array.from({ length: 8 }, () => 'BBBBBBBB');
    rows[3] = 'BBBBBBWB';
    expect(grid(underMask(config, mask(rows), picture(8, 8)))).toEqual(['....', '...#', '....', '....']);
  });

  it('takes bright opaque pixels only', () => {
    const rows = ['WTGL', 'BBBB', 'BBBB', 'BBBB'];
    expect(grid(underMask(config, mask(rows), picture(4, 4)))).toEqual(['#..#', '....', '....', '....']);
  });

  it('is cropped as the picture is, and may be smaller', () => {
    // 8×4: the square is columns 2…5.
    const rows = ['WBBBBBBW', 'BBWBBBBB', 'BBBBBBBB', 'BBBBBWBB'];
    expect(grid(underMask(config, mask(rows), picture(80, 40)))).toEqual(['....', '#...', '....', '...#']);
  });

  it('smaller than the grid still marks whole tokens', () => {
    expect(grid(underMask(config, mask(['WB', 'BB']), picture(100, 100)))).toEqual(['##..', '##..', '....', '....']);
  });

  it('may be the tokens themselves', () => {
    const values = Array.from({ length: 16 }, (_, t): number => (t === 5 ? 1 : 0));
    expect(grid(underMask(config, values, picture(1, 1)))).toEqual(['....', '.#..', '....', '....']);
    expect(() => underMask(config, values.slice(1), picture(1, 1))).toThrow(/15 values, expected 16/);
    expect(() => underMask(config, values.with(0, 2), picture(1, 1))).toThrow(/each 0 or 1/);
  });

  it('must have the picture’s proportions', () => {
    expect(() => underMask(config, mask(['WW', 'WW']), picture(40, 20))).toThrow(/2×2.*40×20/);
  });

  it('must be pixels or numbers', () => {
    const bytes = new Uint8Array(16) as unknown as number[];
    expect(() => underMask(config, bytes, picture(4, 4))).toThrow(/the mask is neither pixels/);
    expect(() => underMask(config, { ...mask(['WW', 'WW']), height: 1 }, picture(4, 2))).toThrow(/2×1 with 16 bytes/);
  });
});
