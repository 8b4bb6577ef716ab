import { RudolphError } from '../errors';
import type { ComponentName, DType, Manifest, TensorEntry } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import { abortable } from '../gpu/abortable';
import { Arena, megabytes, write } from '../gpu/buffers';

/** A tensor in GPU memory, laid out as in the manifest. */
export interface GpuTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements from one row to the next. */
  readonly rowStride: number;
  readonly buffer: GPUBuffer;
}

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/** The tensors of some components of a model, in GPU memory. */
export class Weights {
  readonly #arena: Arena;
  readonly #tensors = new Map<string, GpuTensor>();

  private constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * Streams the shards of `components` into GPU buffers, one shard at a time: the JS heap holds one shard, never the model. All buffers are
   * there before the first shard is asked for: what does not fit is not downloaded.
   * @throws RudolphError `out-of-memory`, `bad-model` when a tensor's bytes do not lie in the component's shards, what the source throws; the
   *   signal's reason as soon as there is one.
   */
  static async load(
    device: GPUDevice,
    source: ModelSource,
    components: readonly ComponentName[],
    options: { signal?: AbortSignal; onProgress?: (progress: LoadProgress) => void } = {},
  ): Promise<Weights> {
    const { manifest } = source;
    const { signal } = options;
    const totalBytes = components.reduce((sum, name) => sum + component(manifest, name).byteLength, 0);
    const weights = Weights.reserve(device, manifest, components);
    let loadedBytes = 0;
    try {
      await weights.#arena.allocated();
      for (const name of components) {
        const tensors = manifest.tensors.filter((tensor) => tensor.component === name);
        let start = 0;
        for (const shard of component(manifest, name).shards) {
          signal?.throwIfAborted();
          const bytes = await abortable(source.shard(shard, signal), signal);
          weights.#fill(tensors, start, bytes);
          free(bytes);
          start += shard.byteLength;
          loadedBytes += shard.byteLength;
          options.onProgress?.({ loadedBytes, totalBytes });
        }
      }
    } catch (error) {
      weights.dispose();
      throw error;
    }
    return weights;
  }

  /** The tensors of some components, all zero. @throws RudolphError `out-of-memory` for one that exceeds the device's limits. */
  static reserve(device: GPUDevice, manifest: Manifest, components: readonly ComponentName[]): Weights {
    const weights = new Weights(new Arena(device));
    try {
      for (const tensor of manifest.tensors) if (components.includes(tensor.component)) weights.#add(tensor);
    } catch (error) {
      weights.dispose();
      throw error;
    }
    return weights;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** @throws RudolphError `bad-model` when there is no such tensor, or its shape is not the expected one. */
  tensor(name: string, shape?: readonly number[]): GpuTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new RudolphError('bad-model', `the model has no tensor ${name}`, { tensor: name });
    if (shape && shape.join() !== tensor.shape.join()) {
      throw new RudolphError('bad-model', `${name} is [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`, {
        tensor: name,
      });
    }
    return tensor;
  }

  dispose(): void {
    this.#arena.dispose();
    this.#tensors.clear();
  }

  #add(entry: TensorEntry): void {
    const { name, dtype, shape, rowStride } = entry;
    const limitBytes = this.#arena.device.limits.maxStorageBufferBindingSize;
    if (entry.byteLength > limitBytes) {
      throw new RudolphError(
        'out-of-memory',
        `the weights ${name} take ${megabytes(entry.byteLength)}, this device binds at most ${megabytes(limitBytes)}: take a smaller model`,
        { label: name, neededBytes: entry.byteLength, limitBytes },
      );
    }
    this.#tensors.set(name, { name, dtype, shape, rowStride, buffer: this.#arena.buffer(name, entry.byteLength) });
  }

  /** Writes the parts of `tensors` that lie in stream bytes start…start+bytes.byteLength−1. Borders fall on multiples of 4. */
  #fill(tensors: readonly TensorEntry[], start: number, bytes: ArrayBuffer): void {
    const end = start + bytes.byteLength;
    for (const tensor of tensors) {
      const from = Math.max(start, tensor.offset);
      const to = Math.min(end, tensor.offset + tensor.byteLength);
      if (from >= to) continue;
      const part = new Uint8Array(bytes, from - start, to - from);
      write(this.#arena.device, this.#tensors.get(tensor.name)!.buffer, from - tensor.offset, part);
    }
  }
}

/**
 * Gives the memory of a buffer back at once, by sending it to nobody: left to the garbage collector, the shards that were read lie there by
 * the dozen. (`transfer(0)` is not enough: Chromium keeps the bytes of what IndexedDB gave until the next collection, and, as they are no
 * longer counted, puts that off.)
 */
function free(bytes: ArrayBuffer): void {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(null, [bytes]);
  port1.close();
}

function component(
  manifest: Manifest,
  name: ComponentName,
): { byteLength: number; shards: readonly { file: string; byteLength: number; sha256: string }[] } {
  const found = manifest.components[name];
  if (!found)
    throw new RudolphError('unsupported', `the model ${manifest.name} has no component ${name}`, { component: name });
  return found;
}
