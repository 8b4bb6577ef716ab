import { Arena } from '../gpu/buffers';
import type { Runner } from '../gpu/runner';

const SLOTS = 3;

/**
 * Looks at GPU buffers while a loop goes on: copies them into one of a few staging buffers and hands the contents over
 * whenever the copy happens to be mapped. The loop never waits; when all slots are busy a look is left out.
 */
export class TokenTap {
  readonly #sources: readonly GPUBuffer[];
  readonly #arena: Arena;
  readonly #slots: { readonly buffer: GPUBuffer; busy: boolean }[];
  #disposed = false;

  constructor(device: GPUDevice, sources: readonly GPUBuffer[]) {
    this.#sources = sources;
    const size = sources.reduce((sum, source) => sum + source.size, 0);
    this.#arena = new Arena(device);
    this.#slots = Array.from({ length: SLOTS }, (_, k) => ({
      buffer: this.#arena.staging(`token tap ${k}`, size),
      busy: false,
    }));
  }

  /** Copies the sources as they are behind everything that the runner was given, and submits. `receive` is called later, in order, or never. */
  async sample(runner: Runner, receive: (contents: Uint32Array[]) => void): Promise<void> {
    const slot = this.#slots.find((entry) => !entry.busy);
    if (!slot) {
      await runner.flush();
      return;
    }
    let offset = 0;
    for (const source of this.#sources) {
      runner.copy(source, 0, slot.buffer, offset, source.size);
      offset += source.size;
    }
    slot.busy = true;
    await runner.flush(() => {
      slot.buffer.mapAsync(GPUMapMode.READ).then(
        () => {
          if (this.#disposed) return;
          const all = new Uint32Array(slot.buffer.getMappedRange().slice(0));
          slot.buffer.unmap();
          slot.busy = false;
          let start = 0;
          receive(this.#sources.map((source) => all.subarray(start, (start += source.size / 4))));
        },
        () => undefined, // the buffer or the device is gone: the loop itself reports that
      );
    });
  }

  dispose(): void {
    this.#disposed = true;
    this.#arena.dispose();
  }
}
