import { expect } from 'vitest';
import { uniform } from './random';

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

/** Numbers in −1…1 that repeat for a seed. */
export function randomNumbers(seed: number): () => number {
  const next = uniform(seed);
  return () => 2 * next() - 1;
}

export function randomArray(seed: number, length: number, scale = 1): Float32Array<ArrayBuffer> {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => next() * scale);
}
