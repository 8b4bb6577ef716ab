import { expect } from 'vitest';

export interface Difference {
  readonly largest: number;
  readonly index: number;
}

/** Largest absolute difference; NaN counts as infinite. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  if (actual.length !== expected.length) throw new Error(`lengths differ: ${actual.length} and ${expected.length}`);
  let largest = 0;
  let index = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i]! - expected[i]!);
    if (!(d <= largest)) {
      largest = Number.isNaN(d) ? Infinity : d;
      index = i;
    }
  }
  return { largest, index };
}

/** Fails with index, both values and the largest difference unless all values agree within `tolerance`, which is returned. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): number {
  const { largest, index } = difference(actual, expected);
  expect(
    largest,
    `${what}: largest difference at ${index}: ${actual[index]} instead of ${expected[index]}`,
  ).toBeLessThanOrEqual(tolerance);
  return largest;
}

/** Numbers in −1…1 that repeat for a seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomArray(seed: number, length: number, scale = 1): Float32Array<ArrayBuffer> {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => next() * scale);
}
