import { expect, it } from 'vitest';
import { fitting, type HistoryEntry } from '../../src/demo/history';
import { parse } from '../../src/demo/link';
import { TokenMask } from '../../src/demo/mask';

it('reads task and fields of an address, and tells a task alone from one with an empty form', () => {
  expect(parse('')).toEqual(['', null]);
  expect(parse('#draw')).toEqual(['draw', null]);
  expect(parse('#draw?')).toEqual(['draw', {}]);
  expect(parse('#draw?prompt=%D0%BA%D0%BE%D1%82+%26&seed=7')).toEqual(['draw', { prompt: 'кот &', seed: '7' }]);
  expect(parse('#draw?prompt=a?b=c&prompt=d')).toEqual(['draw', { prompt: 'd' }]);
  expect(parse('#<b>?x=1')).toEqual(['', null]);
});

it('puts a mask into a few characters, and refuses what is none', () => {
  const mask = new TokenMask(5);
  mask.paint({ row: 0, column: 0 }, 1, true);
  mask.paint({ row: 3, column: 3 }, 3, true);
  expect(mask.text).toMatch(/^5\.[0-9a-f]{7}$/);
  expect(TokenMask.parse(mask.text)?.values).toEqual(mask.values);
  for (const text of ['', '5', '5.0', '0.0', '5.zzzzzzz', '-1.0', '99999.0', `5.${'f'.repeat(8)}`])
    expect(TokenMask.parse(text), text).toBe(null);
});

it('keeps as much history as fits, always the newest entry', () => {
  const entry = (bytes: number, file = 0): HistoryEntry => {
    const blob = (size: number): Blob => ({ size }) as Blob;
    const pictures = [{ png: blob(bytes), file: file ? blob(file) : null, tokens: null, name: '', described: false }];
    return { id: '', at: 0, task: 'draw', title: '', fields: {}, pictures, result: null };
  };
  expect(fitting([])).toBe(0);
  expect(fitting([entry(1), entry(1), entry(1)], 2, 100)).toBe(2);
  expect(fitting([entry(40), entry(60), entry(1)], 10, 100)).toBe(2);
  expect(fitting([entry(40), entry(30, 31), entry(1)], 10, 100)).toBe(1);
  expect(fitting([entry(1000), entry(1)], 10, 100)).toBe(1);
});
