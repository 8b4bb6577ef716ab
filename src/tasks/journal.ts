import { Drawn } from '../model/drawn';

/**
 * What a task has worked out so far, in the order in which it asks: tokens of pictures, drafts as far as they are written, scores,
 * finished pictures. It outlives the device: a task that begins again on another one finds here what it need not compute again. So a
 * task must ask for the same things in the same order each time, which it does as long as it depends on its arguments alone.
 */
export class Journal {
  readonly #entries: unknown[] = [];
  #attempt: Attempt | null = null;

  /** The task begins, or begins again. What an earlier attempt still enters is left out. */
  begin(): Attempt {
    this.#attempt?.close();
    this.#attempt = new Attempt(this.#entries);
    return this.#attempt;
  }

  /** Grows whenever there is more than before. */
  get progress(): number {
    return this.#entries.reduce<number>((sum, entry) => sum + (entry instanceof Drawn ? entry.total : 1), 0);
  }
}

/** One run through a task. */
export class Attempt {
  readonly #entries: unknown[];
  #next = 0;
  #closed = false;

  constructor(entries: unknown[] = []) {
    this.#entries = entries;
  }

  /** What was entered here before; else what `work` gives, which is entered. `fresh`: it was computed now. */
  async once<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly fresh: boolean }> {
    const place = this.#next++;
    if (place < this.#entries.length) return { value: this.#entries[place] as T, fresh: false };
    const value = await work();
    this.#enter(place, value);
    return { value, fresh: true };
  }

  /** A number that has to be the same each time, e.g. a random seed. */
  number(choose: () => number): number {
    const place = this.#next++;
    if (place >= this.#entries.length) this.#enter(place, choose());
    return this.#entries[place] as number;
  }

  /** The tokens of a call of `generate`, kept up to date by it. */
  drawn(): Drawn {
    const place = this.#next++;
    if (place >= this.#entries.length) this.#enter(place, new Drawn());
    return this.#entries[place] as Drawn;
  }

  close(): void {
    this.#closed = true;
  }

  #enter(place: number, value: unknown): void {
    if (this.#closed) throw new Error('a newer attempt has begun');
    this.#entries[place] = value;
  }
}
