import type { Dispatch } from './kernel';

/** A submission aims at this time: short enough that cancelling feels instant and no watchdog fires. */
const TARGET_MS = 40;
/** Software adapters do about 1e9 multiply-adds a second: what the first submissions are sized for until a time was measured. */
const FIRST_WORK_PER_MS = 5e5;
const MAX_IN_FLIGHT = 2;

/**
 * Encodes recorded dispatches into submissions sized by measured speed, at most two in flight. Never awaits a read-back:
 * it paces itself by `onSubmittedWorkDone`.
 */
export class Runner {
  readonly device: GPUDevice;
  /** Multiply-adds a millisecond; learned, and worth keeping from one run to the next. */
  static workPerMs = new WeakMap<GPUDevice, number>();
  readonly #signal: AbortSignal | undefined;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #work = 0;
  #inFlight: Promise<void>[] = [];
  #lastDone = 0;
  /** Submissions so far, for tests and the status line. */
  submissions = 0;

  constructor(device: GPUDevice, signal?: AbortSignal) {
    this.device = device;
    this.#signal = signal;
  }

  /** Adds dispatches in order; submits whenever the time budget is full. Throws the signal's reason when aborted. */
  async run(dispatches: readonly Dispatch[]): Promise<void> {
    for (const dispatch of dispatches) {
      const budget = TARGET_MS * (Runner.workPerMs.get(this.device) ?? FIRST_WORK_PER_MS);
      if (this.#work > 0 && this.#work + dispatch.work > budget) await this.flush();
      this.#encoder ??= this.device.createCommandEncoder();
      this.#pass ??= this.#encoder.beginComputePass();
      this.#pass.setPipeline(dispatch.pipeline);
      dispatch.groups.forEach((group, index) => this.#pass!.setBindGroup(index, group));
      this.#pass.dispatchWorkgroups(...dispatch.workgroups);
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
    const idle = this.#inFlight.length === 0;
    this.device.queue.submit([this.#encoder.finish()]);
    this.submissions++;
    submitted?.();
    this.#encoder = null;
    this.#work = 0;
    const done = this.device.queue.onSubmittedWorkDone().then(() => {
      const now = performance.now();
      this.#learn(work, now - (idle ? started : Math.max(started, this.#lastDone)));
      this.#lastDone = now;
      this.#inFlight = this.#inFlight.filter((entry) => entry !== done);
    });
    this.#inFlight.push(done);
    while (this.#inFlight.length >= MAX_IN_FLIGHT) await this.#inFlight[0];
    this.#signal?.throwIfAborted();
  }

  /** Submits what was added and waits until the GPU has done everything. */
  async idle(): Promise<void> {
    await this.flush();
    await Promise.all(this.#inFlight);
    this.#signal?.throwIfAborted();
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #learn(work: number, milliseconds: number): void {
    if (work < 1e6 || milliseconds <= 0) return;
    const rate = work / milliseconds;
    const before = Runner.workPerMs.get(this.device);
    Runner.workPerMs.set(this.device, before === undefined ? rate : 0.7 * before + 0.3 * rate);
  }
}
