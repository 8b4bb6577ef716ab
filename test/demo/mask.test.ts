import { expect, it } from 'vitest';
import { KEPT_PARTS, type KeptPart, TokenMask } from '../../src/demo/mask';

/** The mask as lines of `.` (kept) and `#` (drawn anew). */
function picture(mask: TokenMask): string[] {
  return Array.from({ length: mask.side }, (_, row) =>
    Array.from({ length: mask.side }, (_, column) => (mask.has({ row, column }) ? '#' : '.')).join(''),
  );
}

it('paints squares around a cell, cut at the edges, and takes them back', () => {
  const mask = new TokenMask(5);
  mask.paint({ row: 0, column: 3 }, 3, true);
  expect(picture(mask)).toEqual(['..###', '..###', '.....', '.....', '.....']);
  mask.paint({ row: 0, column: 4 }, 1, false);
  expect(picture(mask)[0]).toBe('..##.');
  expect(mask.count).toBe(5);
  expect(mask.values.length).toBe(25);
  expect(mask.values.slice(0, 5)).toEqual([0, 0, 1, 1, 0]);
});

it('leaves no gap in a stroke', () => {
  const mask = new TokenMask(5);
  mask.stroke({ row: 4, column: 0 }, { row: 1, column: 4 }, 1, true);
  expect(picture(mask)).toEqual(['.....', '....#', '...#.', '.##..', '#....']);
  mask.stroke({ row: 4, column: 0 }, { row: 4, column: 0 }, 1, false);
  expect(mask.has({ row: 4, column: 0 })).toBe(false);
});

it('keeps parts, and draws the rest anew', () => {
  const kept: Record<KeptPart, string[]> = {
    top: ['....', '....', '####', '####'],
    bottom: ['####', '####', '....', '....'],
    left: ['..##', '..##', '..##', '..##'],
    right: ['##..', '##..', '##..', '##..'],
    middle: ['####', '#..#', '#..#', '####'],
    borders: ['....', '.##.', '.##.', '....'],
  };
  for (const part of KEPT_PARTS) {
    const mask = new TokenMask(4);
    mask.paint({ row: 0, column: 0 }, 1, true); // is overwritten
    mask.keep(part);
    expect(picture(mask), part).toEqual(kept[part]);
    mask.invert();
    expect(mask.count, part).toBe(16 - kept[part].join('').replaceAll('.', '').length);
    mask.clear();
    expect(mask.count).toBe(0);
  }
});

it('is carried over to another number of cells, as a copy', () => {
  const mask = new TokenMask(2);
  mask.paint({ row: 0, column: 1 }, 1, true);
  expect(picture(mask.resized(4))).toEqual(['..##', '..##', '....', '....']);
  expect(picture(mask.resized(4).resized(2))).toEqual(['.#', '..']);
  const copy = mask.resized(2);
  mask.clear();
  expect(copy.count).toBe(1);
});
