import { float16Value, float32ToFloat16 } from '../../format/float16';
import type { Arena } from '../../gpu/buffers';
import type { Dispatch, DispatchSpec, Kernel, KernelSpec } from '../../gpu/kernel';

/** What a dispatch must leave in a buffer. */
export interface Output {
  readonly buffer: GPUBuffer;
  /** The buffer's contents before every run. */
  readonly before: GPUBuffer;
  readonly type: 'f32' | 'u32';
  /** f32: NaN where the kernel must write nothing. */
  readonly expected: ArrayLike<number>;
}

/** Prepares the dispatches of one kernel whose answers are known. */
export class TestBench {
  readonly spec: KernelSpec;
  readonly dispatches: Dispatch[] = [];
  readonly outputs: Output[] = [];
  readonly #arena: Arena;
  readonly #kernel: Kernel;

  /** Buffers belong to `arena`. */
  constructor(arena: Arena, kernel: Kernel, spec: KernelSpec) {
    this.#arena = arena;
    this.#kernel = kernel;
    this.spec = spec;
  }

  has(part: string): boolean {
    return this.spec.parts?.includes(part) ?? false;
  }

  /** One of the kernel's numbers, by which variants differ. */
  constant(name: string): number {
    const value = this.spec.consts?.[name] ?? this.spec.constants?.[name];
    if (value === undefined) throw new Error(`${this.spec.name} has no constant ${name}`);
    return value;
  }

  /** An input. Arrays of numbers become f32. */
  input(values: readonly number[] | Float64Array | Float32Array | Uint32Array | Uint16Array): GPUBuffer {
    const typed = values instanceof Uint32Array || values instanceof Uint16Array ? values : Float32Array.from(values);
    return this.#arena.upload('self-test input', typed as Float32Array<ArrayBuffer>);
  }

  uniform(values: ArrayBuffer): GPUBuffer {
    return this.#arena.uniform('self-test uniform', values);
  }

  /** @param before what lies there already; NaN everywhere by default, so that what is not written shows. */
  f32(expected: ArrayLike<number>, before?: ArrayLike<number>): GPUBuffer {
    return this.#output('f32', expected, Float32Array.from(before ?? new Float32Array(expected.length).fill(NaN)));
  }

  u32(expected: ArrayLike<number>, before?: ArrayLike<number>): GPUBuffer {
    return this.#output('u32', expected, Uint32Array.from(before ?? new Uint32Array(expected.length).fill(UNWRITTEN)));
  }

  dispatch(spec: DispatchSpec): void {
    this.dispatches.push(this.#kernel.dispatch(this.#arena, spec));
  }

  #output(type: Output['type'], expected: ArrayLike<number>, before: Float32Array | Uint32Array): GPUBuffer {
    const buffer = this.#arena.buffer('self-test output', before.byteLength);
    const stored = this.#arena.upload('self-test output before', before as Float32Array<ArrayBuffer>);
    this.outputs.push({ buffer, before: stored, type, expected });
    return buffer;
  }
}

/** In u32 outputs: nobody has written here. */
export const UNWRITTEN = 0xdeadbeef;

/** `length` numbers in −scale…scale without a pattern, the same on every machine: integers divided by a power of two. */
export function series(seed: number, length: number, scale = 1): Float64Array {
  let state = seed * 7919 + 1;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scale * ((state >>> 16) / 32768 - 1);
  });
}

/** The same in fp16, as bits and as the values that these have. */
export function halves(seed: number, length: number, scale = 1): { bits: Uint16Array; values: Float64Array } {
  const bits = float32ToFloat16(Float32Array.from(series(seed, length, scale)));
  return { bits, values: Float64Array.from(bits, float16Value) };
}

/** Σ a[i]·b[j] over `length` elements from `i` and `j` on. */
export function dot(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, length: number): number {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += a[i + k]! * b[j + k]!;
  return sum;
}

/** `count` values, made one by one. */
export function table(count: number, value: (index: number) => number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => value(index));
}
