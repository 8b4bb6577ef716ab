import { RudolphError } from '../errors';
import { MEMORY_ADVICE } from './buffers';

/** The news of a loss may come a little later than what follows from it, e.g. a read-back that is rejected. */
const LATE_NEWS_MS = 100;

/** What goes wrong on a device beside the calls: its loss, and errors that WebGPU reports only as events. */
export class DeviceFailure {
  readonly #device: GPUDevice;
  #lost: RudolphError | null = null;
  #expected = false;
  /** Each ends a piece of work that is under way. */
  readonly #ends = new Set<(error: RudolphError) => void>();

  constructor(device: GPUDevice) {
    this.#device = device;
    void device.lost.then(({ reason, message }) => {
      if (this.#expected) return;
      this.#lost = new RudolphError(
        'device-lost',
        `the graphics device was lost (${message || reason}): its driver was reset, or memory ran out. Load the model again; nothing has to be downloaded anew`,
        { reason, message },
      );
      this.#end(this.#lost);
    });
    device.addEventListener('uncapturederror', ({ error }) => {
      const full = error instanceof GPUOutOfMemoryError;
      const what = full
        ? `the graphics memory is full (${error.message.trim()}): ${MEMORY_ADVICE}`
        : `WebGPU refused a command, so the result would be wrong (${error.message}); please report this with the adapter's name`;
      this.#end(new RudolphError(full ? 'out-of-memory' : 'self-test', what, { message: error.message }));
    });
  }

  /** From now on a loss is no failure: whoever calls destroys the device. */
  expectLoss(): void {
    this.#expected = true;
  }

  /** Whether the device is gone for good. */
  get lost(): boolean {
    return this.#lost !== null;
  }

  /** What the browser said about the loss, if anything. */
  get reason(): string {
    const { reason = '', message = '' } = this.#lost?.details ?? {};
    return String(message || reason);
  }

  /**
   * The work's result, unless the device fails before it is there or is lost already. A refused command ends the work during which it
   * happened and no other: the device is still good.
   * @param signal what the work fails with once it was aborted is no matter of the device's.
   */
  async race<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
    let end: (error: RudolphError) => void = () => undefined;
    const failed = new Promise<never>((_, reject) => {
      end = reject;
      if (this.#lost) reject(this.#lost);
    });
    this.#ends.add(end);
    work.catch(() => undefined);
    try {
      return await Promise.race([failed, work]);
    } catch (error) {
      if (!(error instanceof RudolphError) && !signal?.aborted) await this.#lateNews();
      // What a call says after its device was lost is only a consequence.
      throw this.#lost ?? error;
    } finally {
      this.#ends.delete(end);
    }
  }

  #end(error: RudolphError): void {
    for (const end of this.#ends) end(error);
  }

  #lateNews(): Promise<unknown> {
    return Promise.race([this.#device.lost, new Promise((resolve) => setTimeout(resolve, LATE_NEWS_MS))]);
  }
}
