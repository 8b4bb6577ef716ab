import { RudolphError } from '../errors';
import type { ComponentName, DType, Manifest, TensorEntry } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import { Arena, write } from '../gpu/buffers';

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
   * Streams the shards of `components` into GPU buffers, one shard at a time: the JS heap holds one shard, never the model.
   * @throws RudolphError `bad-model` when a tensor's bytes do not lie in the component's shards.
   */
  static async load(
    device: GPUDevice,
    source: ModelSource,
    components: readonly ComponentName[],
    options: { signal?: AbortSignal; onProgress?: (progress: LoadProgress) => void } = {},
  ): Promise<Weights> {
    const { manifest } = source;
    const weights = new Weights(new Arena(device));
    const totalBytes = components.reduce((sum, name) => sum + component(manifest, name).byteLength, 0);
    let loadedBytes = 0;
    try {
      for (const name of components) {
        const tensors = manifest.tensors.filter((tensor) => tensor.component === name);
        for (const tensor of tensors) weights.#add(tensor);
        let start = 0;
        for (const shard of component(manifest, name).shards) {
          options.signal?.throwIfAborted();
          const bytes = await source.shard(shard, options.signal);
          weights.#fill(tensors, start, bytes);
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

  /** No tensors. */
  static empty(device: GPUDevice): Weights {
    return new Weights(new Arena(device));
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

function component(
  manifest: Manifest,
  name: ComponentName,
): { byteLength: number; shards: readonly { file: string; byteLength: number; sha256: string }[] } {
  const found = manifest.components[name];
  if (!found)
    throw new RudolphError('unsupported', `the model ${manifest.name} has no component ${name}`, { component: name });
  return found;
}
