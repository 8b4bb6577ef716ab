import { RudolphError } from '../errors';
import type { Arena } from './buffers';
import { composeShader } from './shaders';

/** A buffer or a part of one, to be bound. */
export type Binding = GPUBuffer | GPUBufferBinding;

/** One recorded dispatch: everything is created when it is recorded, nothing when it is encoded. */
export interface Dispatch {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly groups: readonly GPUBindGroup[];
  readonly workgroups: readonly [number, number, number];
  /** Multiply-adds, roughly: what submissions are sized by. */
  readonly work: number;
}

/** Encodes a recorded dispatch. */
export function encode(pass: GPUComputePassEncoder, { pipeline, groups, workgroups }: Dispatch): void {
  pass.setPipeline(pipeline);
  groups.forEach((group, index) => pass.setBindGroup(index, group));
  pass.dispatchWorkgroups(...workgroups);
}

export interface DispatchSpec {
  readonly label?: string;
  /** Contents of the uniform at @group(0) @binding(0); absent: the kernel has none and `bindings` start at 0. */
  readonly params?: ArrayBuffer;
  /** The other bindings of group 0, in order. */
  readonly bindings: readonly Binding[];
  /** The bindings of group 1 (the input part's own, e.g. the weights), in order. */
  readonly partBindings?: readonly Binding[];
  /** The bindings of group 2 (the output part's own), in order. */
  readonly outputBindings?: readonly Binding[];
  readonly workgroups: readonly [number, number?, number?];
  readonly work?: number;
}

export interface KernelSpec {
  /** File name in `shaders/` without ending. */
  readonly name: string;
  /** File names in `shaders/parts/` without ending. */
  readonly parts?: readonly string[];
  /** Module constants of type u32, written at the top of the shader. */
  readonly consts?: Readonly<Record<string, number>>;
  /** Pipeline-overridable constants. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** A compiled compute pipeline that records dispatches. */
export class Kernel {
  readonly label: string;
  /** What it was made from; of a base that took the place of a variant, the base's. */
  readonly spec: KernelSpec;
  readonly pipeline: GPUComputePipeline;
  readonly #device: GPUDevice;

  constructor(device: GPUDevice, spec: KernelSpec, pipeline: GPUComputePipeline) {
    this.#device = device;
    this.label = kernelLabel(spec);
    this.spec = spec;
    this.pipeline = pipeline;
  }

  /**
   * Records a dispatch; its uniform buffer belongs to `arena`.
   * @throws when a dimension exceeds the device's workgroup limit: the caller has to split.
   */
  dispatch(arena: Arena, spec: DispatchSpec): Dispatch {
    const label = spec.label ?? this.label;
    const [x, y = 1, z = 1] = spec.workgroups;
    const limit = this.#device.limits.maxComputeWorkgroupsPerDimension;
    for (const count of [x, y, z]) {
      if (!Number.isInteger(count) || count < 1 || count > limit) {
        throw new Error(`${label}: dispatch of (${x}, ${y}, ${z}) workgroups, each must be 1 to ${limit}`);
      }
    }
    const resources: Binding[] = [...spec.bindings];
    if (spec.params) resources.unshift(arena.uniform(`${label} params`, spec.params));
    const groups = [this.#group(label, 0, resources)];
    if (spec.partBindings || spec.outputBindings) groups.push(this.#group(label, 1, spec.partBindings ?? []));
    if (spec.outputBindings) groups.push(this.#group(label, 2, spec.outputBindings));
    return { label, pipeline: this.pipeline, groups, workgroups: [x, y, z], work: spec.work ?? 1e4 };
  }

  #group(label: string, index: number, resources: readonly Binding[]): GPUBindGroup {
    return this.#device.createBindGroup({
      label: `${label} group ${index}`,
      layout: this.pipeline.getBindGroupLayout(index),
      entries: resources.map((resource, binding) => ({
        binding,
        resource: resource instanceof GPUBuffer ? { buffer: resource } : resource,
      })),
    });
  }
}

/** Where kernels come from. */
export interface Kernels {
  /** @throws RudolphError `no-webgpu` when the device does not compile it; `self-test` when it was tested and computes wrongly. */
  get(spec: KernelSpec): Promise<Kernel>;
}

/** A kernel in words: its file and parts. */
export const kernelLabel = ({ name, parts = [] }: KernelSpec): string => [name, ...parts].join(' + ');

/** Equal for equal specs. */
export const kernelKey = ({ name, parts = [], consts = {}, constants = {} }: KernelSpec): string =>
  JSON.stringify([name, parts, consts, constants]);

/** Compiles kernels without blocking and keeps them: the same spec is compiled once per device. */
export class KernelCache implements Kernels {
  readonly #device: GPUDevice;
  readonly #compose: typeof composeShader;
  readonly #kernels = new Map<string, Promise<Kernel>>();

  /** @param compose where a shader's text comes from; tests put in wrong ones. */
  constructor(device: GPUDevice, compose: typeof composeShader = composeShader) {
    this.#device = device;
    this.#compose = compose;
  }

  get(spec: KernelSpec): Promise<Kernel> {
    const key = kernelKey(spec);
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = compile(this.#device, spec, this.#compose);
      this.#kernels.set(key, kernel);
      kernel.catch(() => this.#kernels.delete(key));
    }
    return kernel;
  }
}

async function compile(device: GPUDevice, spec: KernelSpec, compose: typeof composeShader): Promise<Kernel> {
  const label = kernelLabel(spec);
  const code = compose(spec.name, spec.parts, spec.consts);
  // What is wrong with it comes with the pipeline's rejection; as an event of the device it would end other work.
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code });
  device.popErrorScope().catch(() => undefined);
  try {
    const pipeline = await device.createComputePipelineAsync({
      label,
      layout: 'auto',
      compute: { module, entryPoint: 'main', ...(spec.constants ? { constants: { ...spec.constants } } : {}) },
    });
    return new Kernel(device, spec, pipeline);
  } catch (cause) {
    const info = await module.getCompilationInfo();
    const messages = info.messages.map(
      (m) => `${m.type} at line ${m.lineNum}:${m.linePos}: ${m.message}\n  ${code.split('\n')[m.lineNum - 1] ?? ''}`,
    );
    throw new RudolphError(
      'no-webgpu',
      `the kernel ${label} does not compile on this device: ${messages.join('\n') || String(cause)}`,
      { kernel: label },
      { cause },
    );
  }
}

/** Packs `Params`: numbers written as u32 unless wrapped in `f32(…)`; 4 bytes each, padded to 16. */
export function packParams(values: readonly (number | { readonly f32: number })[]): ArrayBuffer {
  const bytes = new ArrayBuffer(Math.max(16, Math.ceil((values.length * 4) / 16) * 16));
  const view = new DataView(bytes);
  values.forEach((value, index) => {
    if (typeof value === 'number') {
      if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
        throw new Error(`params[${index}] = ${value} is no u32`);
      view.setUint32(index * 4, value, true);
    } else view.setFloat32(index * 4, value.f32, true);
  });
  return bytes;
}

/** Marks a number as f32 in `packParams`. */
export const f32 = (value: number): { readonly f32: number } => ({ f32: value });
