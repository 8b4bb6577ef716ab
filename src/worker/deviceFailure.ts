import { RudolphError } from '../errors';

/** What goes wrong on a device beside the calls: its loss, and errors that WebGPU reports only as events. */
export class DeviceFailure {
  #error: RudolphError | null = null;
  #trying = true;
  readonly #failed: Promise<never>;

  constructor(device: GPUDevice) {
    this.#failed = new Promise((_, reject) => {
      const fail = (error: RudolphError): void => {
        this.#error ??= error;
        reject(this.#error);
      };
      void device.lost.then(({ reason, message }) => {
        if (reason === 'destroyed') return;
        fail(
          new RudolphError(
            'device-lost',
            `the graphics device was lost (${message || 'the browser says no more'}): its driver was reset, or memory ran out. Load the model again; nothing has to be downloaded anew`,
          ),
        );
      });
      device.addEventListener('uncapturederror', ({ error }) => {
        const full = error instanceof GPUOutOfMemoryError;
        if (!full && this.#trying) return;
        const what = full
          ? 'the graphics memory is full: close other tabs and programs, draw fewer pictures at once, or take a smaller model'
          : `WebGPU refused a command, so the result would be wrong (${error.message}); please report this with the adapter's name`;
        fail(new RudolphError(full ? 'out-of-memory' : 'self-test', what, { message: error.message }));
      });
    });
    this.#failed.catch(() => undefined);
  }

  /** Until then a refused command does no harm: at load, kernel variants are tried out that a driver may not take. */
  loaded(): void {
    this.#trying = false;
  }

  /** The work's result, unless the device fails before it is there or has failed already. */
  async race<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([this.#failed, work]);
    } catch (error) {
      work.catch(() => undefined);
      // What a call says after the device failed is only a consequence.
      throw this.#error ?? error;
    }
  }
}
