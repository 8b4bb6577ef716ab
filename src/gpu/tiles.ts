import { Arena } from './buffers';
import type { DeviceFailure } from './deviceFailure';
import { type Dispatch, encode, type KernelSpec } from './kernel';

/** Picks between forms of a kernel that differ in speed only. */
export interface Tiles {
  /**
   * @param key of the work, e.g. a product's shape
   * @param forms the usual one first; all must give the same results, bit by bit: what is picked depends on the clock
   * @param record the work in one of the forms, with buffers of the arena
   */
  pick(key: string, forms: readonly KernelSpec[], record: Recording): Promise<KernelSpec>;
}

/** Records the work in one of the forms. */
type Recording = (form: KernelSpec, arena: Arena) => Promise<readonly Dispatch[]>;

/** Where picks are kept: `consts` as text, by key. */
export interface Picks {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

/** Milliseconds of a sample of the usual form beyond what a submission costs: browsers' clocks tick every 0.1 ms. */
const SAMPLE_MS = 4;
/** Where an empty submission takes longer, nothing can be told apart (Firefox looks every 100 ms); where the work does, nobody should wait. */
const LONGEST_MS = 30;
const MOST_REPEATS = 4096;
const ROUNDS = 3;
/** A form has to be faster than those before it by this; less may be chance. */
const WORTHWHILE = 0.95;

/** Times the forms on the device, once for each key, and remembers the fastest. */
export class TimedTiles implements Tiles {
  readonly #device: GPUDevice;
  readonly #failure: Pick<DeviceFailure, 'lost'>;
  readonly #prefix: string;
  readonly #picked = new Map<string, Promise<KernelSpec>>();
  /** Given up when they fail. */
  #picks: Picks | null;
  /** One after the other, lest they disturb each other. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param name of the adapter: picks are its own */
  constructor(device: GPUDevice, failure: Pick<DeviceFailure, 'lost'>, name: string, picks: Picks | null = null) {
    this.#device = device;
    this.#failure = failure;
    this.#prefix = name;
    this.#picks = picks;
  }

  pick(key: string, forms: readonly KernelSpec[], record: Recording): Promise<KernelSpec> {
    let picked = this.#picked.get(key);
    if (!picked) {
      picked = this.#last.then(() => this.#pick(`${this.#prefix}: ${key}`, forms, record));
      this.#picked.set(key, picked);
      this.#last = picked;
    }
    return picked;
  }

  async #pick(key: string, forms: readonly KernelSpec[], record: Recording): Promise<KernelSpec> {
    const remembered = await this.#picks?.get(key).catch(() => void (this.#picks = null));
    const known = forms.find(({ consts }) => JSON.stringify(consts) === remembered);
    if (known) return known;
    const fastest = await this.#fastest(forms, record).catch(() => null);
    // What went wrong will show, and be told, where the usual form is used.
    if (fastest === null || this.#failure.lost) return forms[0]!;
    await this.#picks?.set(key, JSON.stringify(fastest.consts)).catch(() => void (this.#picks = null));
    return fastest;
  }

  /** Null where it cannot be told. */
  async #fastest(forms: readonly KernelSpec[], record: Recording): Promise<KernelSpec | null> {
    await this.#time([], 1);
    const empty = await this.#time([], 1);
    if (empty > LONGEST_MS) return null;
    const arena = new Arena(this.#device);
    try {
      const runs: { readonly form: KernelSpec; readonly dispatches: readonly Dispatch[]; best: number }[] = [];
      for (const form of forms) {
        // What this device cannot compile, or computes wrongly, does not take part.
        const dispatches = await record(form, arena).catch(() => null);
        if (dispatches) runs.push({ form, dispatches, best: Infinity });
      }
      await arena.allocated();
      for (const { dispatches } of runs) if ((await this.#time(dispatches, 1)) > LONGEST_MS) return null;
      let repeats = 1;
      while ((await this.#time(runs[0]!.dispatches, repeats)) - empty < SAMPLE_MS)
        if ((repeats *= 2) > MOST_REPEATS) return null;
      for (let round = 0; round < ROUNDS; round++)
        for (const run of runs) run.best = Math.min(run.best, (await this.#time(run.dispatches, repeats)) - empty);
      // On a device that is lost or given up everything takes no time.
      if (runs.some(({ best }) => best < SAMPLE_MS / 9)) return null;
      const fastest = runs.reduce((a, b) => (b.best < WORTHWHILE * a.best ? b : a));
      return fastest.form;
    } finally {
      arena.dispose();
    }
  }

  /** Milliseconds from the submission until the device has done the work so many times. */
  async #time(dispatches: readonly Dispatch[], repeats: number): Promise<number> {
    // The weights may be gone: the model was disposed of. That must not end what else the device does.
    this.#device.pushErrorScope('validation');
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let n = 0; n < repeats; n++) {
      for (const dispatch of dispatches) encode(pass, dispatch);
    }
    pass.end();
    const started = performance.now();
    this.#device.queue.submit([encoder.finish()]);
    const refused = this.#device.popErrorScope();
    await this.#device.queue.onSubmittedWorkDone();
    const milliseconds = performance.now() - started;
    if (await refused) throw new Error('refused');
    return milliseconds;
  }
}
