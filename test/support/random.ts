/** Numbers in 0…1 (1 excluded) that repeat for a seed (mulberry32): test data only. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws that repeat for a seed. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = uniform(seed);
  }

  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.whole(0, list.length - 1)]!;
  }

  /** Some of a list, at least one, in its order. */
  some<T>(list: readonly T[]): T[] {
    const share = this.#next();
    const chosen = list.filter(() => this.chance(share));
    return chosen.length > 0 ? chosen : [this.pick(list)];
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.whole(0, 255));
  }
}
