import { abortable } from './abortable';
import { type Dispatch, encode } from './kernel';

/** A submission aims at this time: short enough that cancelling feels instant and no watchdog fires. */
const TARGET_MS = 40;
/** Software adapters do about 1e9 multiply-adds a second: what the first submissions are sized for until a time was measured. */
const FIRST_WORK_PER_MS = 5e5;
const MAX_IN_FLIGHT = 2;

/**
 * Multiply-adds of one dispatch at most; larger ones are split by output tile. On the slowest software adapters a third of a second to
 * a second, so that cancelling works there too; on the slowest GPUs far below what a watchdog allows, and so much that no product of a
 * decode step of the largest preset with 48 candidates is split. A matter of the adapter's kind, not of measured speed: what is split
 * must not change from run to run, for sums over classes are added up in that order.
 */
export const dispatchLimit = (adapter: { readonly software: boolean }): number =>
  adapter.software ? 2 ** 28 : 2 ** 31;

/** How fast a device is; learned, and kept from one run to the next. */
interface Pace {
  /** Multiply-adds a millisecond; 0: not measured yet. */
  workPerMs: number;
  /** When the last submission was done, be it of a run that was given up. */
  lastDone: number;
}
const paces = new WeakMap<GPUDevice, Pace>();

function paceOf(device: GPUDevice): Pace {
  let pace = paces.get(device);
  if (!pace) paces.set(device, (pace = { workPerMs: 0, lastDone: 0 }));
  return pace;
}

/**
 * Encodes recorded dispatches into submissions sized by measured speed, at most two in flight. Never awaits a read-back:
 * it paces itself by `onSubmittedWorkDone`. Once the signal is aborted nothing more is submitted, and every wait ends at once with its
 * reason; what is in flight, at most two submissions, the GPU finishes unheard.
 */
export class Runner {
  readonly device: GPUDevice;
  readonly #pace: Pace;
  readonly #signal: AbortSignal | undefined;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #work = 0;
  #inFlight: Promise<void>[] = [];
  /** Submissions so far, for tests and the status line. */
  submissions = 0;

  constructor(device: GPUDevice, signal?: AbortSignal) {
    this.device = device;
    this.#pace = paceOf(device);
    this.#signal = signal;
  }

  /** Adds dispatches in order; submits whenever the time budget is full. Throws the signal's reason when aborted. */
  async run(dispatches: readonly Dispatch[]): Promise<void> {
    for (const dispatch of dispatches) {
      const budget = TARGET_MS * (this.#pace.workPerMs || FIRST_WORK_PER_MS);
      if (this.#work > 0 && this.#work + dispatch.work > budget) await this.flush();
      this.#encoder ??= this.device.createCommandEncoder();
      this.#pass ??= this.#encoder.beginComputePass();
      encode(this.#pass, dispatch);
      this.#work += dispatch.work;
    }
  }

  /** Copies between buffers, in order with the dispatches. */
  copy(source: GPUBuffer, sourceOffset: number, target: GPUBuffer, targetOffset: number, byteLength: number): void {
    this.#endPass();
    this.#encoder ??= this.device.createCommandEncoder();
    this.#encoder.copyBufferToBuffer(source, sourceOffset, target, targetOffset, byteLength);
  }

  /**
   * Submits what was added. Resolves when there is room for the next submission, not when the work is done.
   * @param submitted called right behind the submission, e.g. to map what it copied.
   */
  async flush(submitted?: () => void): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!this.#encoder) return;
    this.#endPass();
    const work = this.#work;
    const started = performance.now();
    this.device.queue.submit([this.#encoder.finish()]);
    this.submissions++;
    submitted?.();
    this.#encoder = null;
    this.#work = 0;
    const done = this.device.queue.onSubmittedWorkDone().then(() => {
      const now = performance.now();
      // What was submitted before has run first.
      this.#learn(work, now - Math.max(started, this.#pace.lastDone));
      this.#pace.lastDone = now;
      this.#inFlight = this.#inFlight.filter((entry) => entry !== done);
    });
    done.catch(() => undefined); // where a loss rejects it: that is reported by itself
    this.#inFlight.push(done);
    while (this.#inFlight.length >= MAX_IN_FLIGHT) await abortable(this.#inFlight[0]!, this.#signal);
  }

  /** Submits what was added and waits until the GPU has done everything. */
  async idle(): Promise<void> {
    await this.flush();
    await abortable(Promise.all(this.#inFlight), this.#signal);
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #learn(work: number, milliseconds: number): void {
    if (work < 1e6 || milliseconds <= 0) return;
    const rate = work / milliseconds;
    const before = this.#pace.workPerMs;
    this.#pace.workPerMs = before === 0 ? rate : 0.7 * before + 0.3 * rate;
  }
}
