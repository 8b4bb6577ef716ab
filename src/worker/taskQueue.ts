import type { TaskName } from '../tasks/types';

/** How long a call lets others go first that are due earlier, in milliseconds: about as long as a person waits for it anyway. */
const PATIENCE_MS: Readonly<Record<TaskName, number>> = {
  perplexity: 0,
  classify: 0,
  rankImages: 0,
  rankTexts: 0,
  answer: 5_000,
  readText: 5_000,
  caption: 5_000,
  continueText: 5_000,
  textToImage: 20_000,
  inpaint: 20_000,
};

interface Entry {
  readonly due: number;
  readonly start: () => Promise<void>;
}

/**
 * Whose turn it is. One call at a time, for they share the device, and none is interrupted for another. When it ends, the call that is due
 * first begins: a call is due when its patience is over, counted from when it came. So calls of a kind run in the order in which they
 * came; a short one waits for the one that runs, not for all pictures that were ordered before; and however many short ones come, a
 * picture is not overtaken by any that came later than its patience lasted.
 */
export class TaskQueue {
  readonly #now: () => number;
  #waiting: Entry[] = [];
  #running: Promise<void> | null = null;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Runs `work` when its turn comes.
   * @param signal ends the wait at once, with its reason; ending the work is the work's own business.
   */
  add<T>(task: TaskName, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const entry: Entry = {
        due: this.#now() + PATIENCE_MS[task],
        start: async () => {
          signal.removeEventListener('abort', leave);
          await work().then(resolve, reject);
        },
      };
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(signal.reason as Error);
      };
      if (signal.aborted) return leave();
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(entry);
      this.#next();
    });
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  #next(): void {
    if (this.#running) return;
    const due = Math.min(...this.#waiting.map((entry) => entry.due));
    const entry = this.#waiting.find((waiting) => waiting.due === due);
    if (!entry) return;
    this.#waiting = this.#waiting.filter((other) => other !== entry);
    this.#running = entry.start().finally(() => {
      this.#running = null;
      this.#next();
    });
  }
}
