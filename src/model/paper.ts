import type { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { type DispatchSpec, type Kernel, kernelKey, kernelLabel, type KernelSpec } from '../gpu/kernel';

/**
 * A device on paper, with the limits of a real one: whatever is recorded on it is counted, and nothing is made. So what a task needs is
 * known, by the very code that will ask for it, before anything is downloaded or allocated.
 */
export class PaperGpu implements Gpu {
  readonly device: GPUDevice;
  readonly adapter: Gpu['adapter'];
  readonly variants: Gpu['variants'];
  readonly failure: Gpu['failure'];
  readonly kernels: Gpu['kernels'];
  /** Bytes of the buffers that there are. */
  liveBytes = 0;
  /** The most that there were since it was set last. */
  peakBytes = 0;
  readonly #specs = new Map<string, KernelSpec>();

  /** @param real whose limits, kind and variants count. */
  constructor(real: Pick<Gpu, 'device' | 'adapter' | 'variants' | 'failure'>) {
    this.adapter = real.adapter;
    this.variants = real.variants;
    this.failure = real.failure;
    this.device = this.#standIn(real.device.limits);
    this.kernels = {
      get: (spec) => {
        this.#specs.set(kernelKey(spec), spec);
        return Promise.resolve(standInKernel(spec));
      },
    };
  }

  /** Every kernel that was asked for, once. */
  get specs(): readonly KernelSpec[] {
    return [...this.#specs.values()];
  }

  dispose(): void {}

  #standIn(limits: GPUSupportedLimits): GPUDevice {
    const nothing = (): void => undefined;
    const createBuffer = ({ label, size }: GPUBufferDescriptor): GPUBuffer => {
      this.liveBytes += size;
      this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
      const destroy = (): void => void (this.liveBytes -= size);
      return { label, size, destroy } as unknown as GPUBuffer;
    };
    return {
      limits,
      createBuffer,
      pushErrorScope: nothing,
      popErrorScope: () => Promise.resolve(null),
      createCommandEncoder: () => ({ copyBufferToBuffer: nothing, finish: nothing }),
      queue: { writeBuffer: nothing, submit: nothing },
    } as unknown as GPUDevice;
  }
}

/** Records what a kernel records, uniforms included. */
function standInKernel(spec: KernelSpec): Kernel {
  const name = kernelLabel(spec);
  return {
    label: name,
    spec,
    dispatch: (arena: Arena, { label = name, params, workgroups: [x, y = 1, z = 1], work = 1 }: DispatchSpec) => {
      if (params) arena.uniform(`${label} params`, params);
      return { label, pipeline: { label: name }, groups: [], workgroups: [x, y, z], work };
    },
  } as unknown as Kernel;
}
