/** A rule as the queue needs it: what a pair becomes, and how early its line is. */
interface Rule {
  readonly result: number;
  readonly rank: number;
}

/**
 * Merges the symbols of one word: the pair with the lowest rule line first, ties leftmost. A heap over a linked list,
 * so that a word of n characters costs n·log n (YouTokenToMe would do the same in C++).
 */
export class MergeQueue {
  readonly #symbols: number[];
  readonly #rules: ReadonlyMap<number, Rule>;
  readonly #vocabularySize: number;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Heap of candidates `rank · length + position`; numbers stay exact, both factors are far below 2^26. */
  readonly #heap: number[] = [];

  constructor(symbols: readonly number[], rules: ReadonlyMap<number, Rule>, vocabularySize: number) {
    this.#symbols = [...symbols];
    this.#rules = rules;
    this.#vocabularySize = vocabularySize;
    this.#next = Int32Array.from(symbols, (_, i) => (i + 1 < symbols.length ? i + 1 : -1));
    this.#previous = Int32Array.from(symbols, (_, i) => i - 1);
  }

  merge(): number[] {
    const symbols = this.#symbols;
    const length = symbols.length;
    for (let i = 0; i + 1 < length; i++) this.#offer(i);
    while (this.#heap.length > 0) {
      const candidate = this.#pop();
      const left = candidate % length;
      const right = this.#next[left]!;
      // A candidate is stale when its pair has been merged into something else since; a fresh one was offered then.
      if (symbols[left]! < 0 || right < 0) continue;
      const rule = this.#rule(left, right);
      if (!rule || rule.rank !== Math.floor(candidate / length)) continue;
      symbols[left] = rule.result;
      symbols[right] = -1;
      const after = this.#next[right]!;
      this.#next[left] = after;
      if (after >= 0) {
        this.#previous[after] = left;
        this.#offer(left);
      }
      if (this.#previous[left]! >= 0) this.#offer(this.#previous[left]!);
    }
    return symbols.filter((symbol) => symbol >= 0);
  }

  #rule(left: number, right: number): Rule | undefined {
    return this.#rules.get(this.#symbols[left]! * this.#vocabularySize + this.#symbols[right]!);
  }

  #offer(left: number): void {
    const rule = this.#rule(left, this.#next[left]!);
    if (!rule) return;
    const heap = this.#heap;
    const item = rule.rank * this.#symbols.length + left;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! <= item) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): number {
    const heap = this.#heap;
    const least = heap[0]!;
    const item = heap.pop()!;
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
        if (heap[child]! >= item) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = item;
    }
    return least;
  }
}
