import type { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { packParams, type Binding, type Dispatch, type KernelSpec } from '../gpu/kernel';
import { dispatchLimit } from '../gpu/runner';
import type { GpuTensor } from './weights';

/** Rows up to which `matvec` keeps every row in registers; beyond, `matmul` tiles. */
const MATVEC_ROWS = 8;

export interface LinearSpec {
  readonly label: string;
  /** (rows, K) f32. */
  readonly x: GPUBuffer;
  readonly rows: number;
  /** (columns or more, K) fp16. */
  readonly weight: GpuTensor;
  /** (columns or more) f32. */
  readonly bias: GpuTensor;
  /** How many outputs, counted from the first; all rows of the weight unless told otherwise. */
  readonly columns?: number;
  /** Where the results go: a part `output_*` and its bindings. */
  readonly output: 'plain' | 'gelu' | 'qkv';
  readonly outputBindings: readonly Binding[];
}

/**
 * Records y = x · weightᵀ + bias: `matvec` for up to 8 rows, `matmul` beyond, split along the columns when one dispatch
 * would take too long.
 */
export async function recordLinear(gpu: Gpu, arena: Arena, spec: LinearSpec): Promise<Dispatch[]> {
  const { rows, weight, label } = spec;
  const [outputs, inputs] = weight.shape as readonly [number, number];
  const columns = spec.columns ?? outputs;
  if (columns > outputs || (spec.bias.shape[0] ?? 0) < columns) {
    throw new Error(
      `${label}: ${columns} columns asked of a weight of [${outputs}, ${inputs}] and ${spec.bias.shape[0]} biases`,
    );
  }
  if (weight.rowStride !== inputs || inputs % 8 !== 0 || spec.x.size < rows * inputs * 4) {
    throw new Error(
      `${label}: x of ${spec.x.size} bytes as [${rows}, ${inputs}], row stride ${weight.rowStride}; K must be a multiple of 8`,
    );
  }
  const weights = gpu.variants.f16 ? 'weights_f16' : 'weights_fp16';
  const shape = kernelFor(rows, gpu.adapter.software);
  const { parts: own = [] } = shape.kernel;
  const parts = [weights, ...own, ...(spec.output === 'qkv' ? ['cache'] : []), `output_${spec.output}`];
  const kernel = await gpu.kernels.get({ ...shape.kernel, parts });
  const limit = dispatchLimit(gpu.adapter);
  const perDispatch = Math.max(1, Math.floor(limit / (rows * inputs) / shape.tileColumns)) * shape.tileColumns;
  const dispatches: Dispatch[] = [];
  for (let first = 0; first < columns; first += perDispatch) {
    const count = Math.min(perDispatch, columns - first);
    dispatches.push(
      kernel.dispatch(arena, {
        label,
        params: packParams([rows, columns, inputs / 8, first]),
        bindings: [spec.x, spec.bias.buffer],
        partBindings: [weight.buffer],
        outputBindings: spec.outputBindings,
        workgroups: [Math.ceil(count / shape.tileColumns), Math.ceil(rows / shape.tileRows)],
        work: rows * count * inputs,
      }),
    );
  }
  return dispatches;
}

/** Which kernel serves so many rows, and the tile of outputs that one of its workgroups computes. */
function kernelFor(
  rows: number,
  software: boolean,
): { readonly kernel: KernelSpec; readonly tileColumns: number; readonly tileRows: number } {
  const few = rows <= 2 ? rows : rows <= 4 ? 4 : 8;
  if (software)
    return {
      kernel: { name: 'matmul_direct', parts: ['dots'], consts: { ROWS: few } },
      tileColumns: 64,
      tileRows: few,
    };
  if (rows <= MATVEC_ROWS) return { kernel: { name: 'matvec', consts: { ROWS: few } }, tileColumns: 8, tileRows: rows };
  const per = rows <= 32 ? 4 : 8;
  return { kernel: { name: 'matmul', consts: { PER_M: per, PER_N: per } }, tileColumns: 8 * per, tileRows: 8 * per };
}
