import { uniform } from '../support/random';

/** Throws that repeat for a seed: what a mutator decides by. */
export class Dice {
  readonly #next: () => number;

  constructor(...seeds: readonly number[]) {
    // Neighbouring seeds must not give neighbouring throws.
    this.#next = uniform(seeds.reduce((hash, seed) => Math.imul(hash ^ (hash >>> 15) ^ seed, 0x85ebca6b), 0x9e3779b9));
  }

  /** 0…count−1 */
  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  /** Small numbers mostly, now and then one up to `most`. */
  skewed(most: number): number {
    return Math.floor((most + 1) ** this.#next()) - 1;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
