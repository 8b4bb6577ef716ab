import { RudolphError } from '../../errors';
import type { Arena } from '../../gpu/buffers';
import type { Gpu } from '../../gpu/device';
import type { Dispatch } from '../../gpu/kernel';
import { weightsPart } from '../../gpu/variants';
import type { GpuTensor, Weights } from '../weights';

/** A picture-shaped f32 array on the GPU: (height, width, stride), channels past `channels` are 0. */
export interface Activation {
  readonly buffer: GPUBuffer;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** f32 from one pixel to the next: `channels` rounded up to a multiple of 8. */
  readonly stride: number;
}

/** `n` rounded up to a multiple of 8: weights are read eight at a time. */
export const ceil8 = (n: number): number => Math.ceil(n / 8) * 8;

/**
 * Activation buffers that were given back serve again: dispatches run in the order in which they were recorded, and
 * programs that share a pool run one after another.
 */
export class ScratchPool {
  readonly arena: Arena;
  #free: GPUBuffer[] = [];

  constructor(arena: Arena) {
    this.arena = arena;
  }

  /** A free buffer of at least `byteLength` bytes, contents undefined. @throws RudolphError `unsupported` when it exceeds a binding. */
  take(label: string, byteLength: number): GPUBuffer {
    const limit = this.arena.device.limits.maxStorageBufferBindingSize;
    if (byteLength > limit) {
      throw new RudolphError(
        'unsupported',
        `${label} needs ${byteLength} bytes, this device binds at most ${limit}: use a smaller picture`,
        {
          label,
          byteLength,
          limit,
        },
      );
    }
    let best = -1;
    this.#free.forEach((buffer, index) => {
      if (buffer.size >= byteLength && (best < 0 || buffer.size < this.#free[best]!.size)) best = index;
    });
    // A huge buffer is not spent on a few numbers: the next large activation would need a new one.
    if (best >= 0 && this.#free[best]!.size <= 4 * byteLength + 65536) return this.#free.splice(best, 1)[0]!;
    return this.arena.buffer(label, byteLength);
  }

  give(buffer: GPUBuffer): void {
    this.#free.push(buffer);
  }
}

/** Collects the dispatches of one program: encode or decode at a certain size. */
export class Recording {
  readonly gpu: Gpu;
  /** Owns what the program keeps: uniforms, inputs, outputs. */
  readonly arena: Arena;
  readonly weights: Weights;
  /** Before every tensor name: 'dwt.' for the DWT decoder. */
  readonly prefix: string;
  readonly dispatches: Dispatch[] = [];
  /** Workgroups share memory freely: right for a GPU. Adapters in software take twice the time, for barriers are dear there. */
  readonly tiled: boolean;
  /** Bound where a kernel wants a bias and there is none. */
  readonly noBias: GPUBuffer;
  readonly #pool: ScratchPool;

  constructor(gpu: Gpu, pool: ScratchPool, weights: Weights, prefix = '', tiled = !gpu.adapter.software) {
    this.gpu = gpu;
    this.arena = pool.arena;
    this.weights = weights;
    this.prefix = prefix;
    this.tiled = tiled;
    this.#pool = pool;
    this.noBias = this.arena.buffer('no bias', 16);
  }

  /** Which part reads fp16 weights on this device. */
  get weightsPart(): string {
    return weightsPart(this.gpu.variants);
  }

  /** Threads of a workgroup that adds up together. */
  get sumWorkgroup(): number {
    return this.tiled ? 64 : 8;
  }

  tensor(name: string): GpuTensor {
    return this.weights.tensor(this.prefix + name);
  }

  /** An f32 vector of known length. @throws RudolphError `bad-model` when it is something else. */
  vector(name: string, length: number): GPUBuffer {
    const tensor = this.weights.tensor(this.prefix + name, [length]);
    if (tensor.dtype !== 'f32')
      throw new RudolphError('bad-model', `${tensor.name} is ${tensor.dtype}, expected f32`, { tensor: tensor.name });
    return tensor.buffer;
  }

  /** A new activation in a free buffer, its contents undefined. @throws RudolphError `unsupported` when it exceeds a binding. */
  activation(label: string, width: number, height: number, channels: number): Activation {
    const stride = ceil8(channels);
    return { buffer: this.scratch(label, width * height * stride * 4), width, height, channels, stride };
  }

  /** A free buffer of at least `byteLength` bytes, contents undefined. @throws RudolphError `unsupported` when it exceeds a binding. */
  scratch(label: string, byteLength: number): GPUBuffer {
    return this.#pool.take(label, byteLength);
  }

  /** Gives buffers back: what is recorded from now on may overwrite them. */
  release(...items: readonly (Activation | GPUBuffer)[]): void {
    for (const item of items) this.#pool.give('buffer' in item ? item.buffer : item);
  }
}

/** Workgroups in x and y for `count` workgroups in all; the kernel computes y · (workgroups in x) + x. */
export function grid(count: number): [number, number] {
  const limit = 65535;
  if (count <= limit) return [count, 1];
  const rows = Math.ceil(count / limit);
  return [Math.ceil(count / rows), rows];
}
