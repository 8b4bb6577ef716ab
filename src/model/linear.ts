import type { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { packParams, type Binding, type Dispatch, type KernelSpec } from '../gpu/kernel';
import { dispatchLimit } from '../gpu/runner';
import { weightsPart } from '../gpu/variants';
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
 * Records y = x · weightᵀ + bias: `matvec` for up to 8 rows, `matmul` beyond (on software adapters kernels of their own), split along the
 * columns when one dispatch would take too long.
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
  const asked = kernelFor(rows, gpu);
  const { parts: own = [] } = asked;
  const parts = [
    weightsPart(gpu.variants),
    ...own,
    ...(spec.output === 'qkv' ? ['cache'] : []),
    `output_${spec.output}`,
  ];
  const kernel = await gpu.kernels.get({ ...asked, parts });
  const tile = linearTile(kernel.spec);
  const limit = dispatchLimit(gpu.adapter);
  const perDispatch = Math.max(1, Math.floor(limit / (rows * inputs) / tile.columns)) * tile.columns;
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
        workgroups: [Math.ceil(count / tile.columns), Math.ceil(rows / tile.rows)],
        work: rows * count * inputs,
      }),
    );
  }
  return dispatches;
}

/** Which kernel serves so many rows, without the parts that it shares with others. */
function kernelFor(rows: number, { adapter, variants }: Gpu): KernelSpec {
  const few = rows <= 2 ? rows : rows <= 4 ? 4 : 8;
  if (variants.subgroups)
    return { name: 'matmul_subgroup', parts: ['dots', 'lanes'], consts: { ROWS: Math.min(few, 4) } };
  if (adapter.software) return { name: 'matmul_direct', parts: ['dots'], consts: { ROWS: few } };
  if (rows <= MATVEC_ROWS) return { name: 'matvec', consts: { ROWS: few } };
  const per = rows <= 32 ? 4 : 8;
  return { name: 'matmul', consts: { PER_M: per, PER_N: per } };
}

/** The tile of outputs that one workgroup of such a kernel computes. */
export function linearTile({ name, consts = {} }: KernelSpec): { readonly rows: number; readonly columns: number } {
  if (name === 'matmul') return { rows: 8 * consts['PER_M']!, columns: 8 * consts['PER_N']! };
  return { rows: consts['ROWS']!, columns: name === 'matvec' ? 8 : 64 };
}
