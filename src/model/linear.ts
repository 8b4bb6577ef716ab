import type { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { packParams, type Binding, type Dispatch } from '../gpu/kernel';
import type { GpuTensor } from './weights';

/** Rows up to which `matvec` keeps every row in registers; beyond, `matmul` tiles. */
const MATVEC_ROWS = 8;
/** Multiply-adds of one dispatch at most: a third of a second on the slowest software adapter, so that cancelling works there too. */
const MAX_WORK = 2 ** 28;

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
 * Records y = x · weightᵀ + bias: `matvec` for up to 8 rows, tiles beyond, split along the columns when one dispatch
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
  const parts = [weights, ...(spec.output === 'qkv' ? ['cache'] : []), `output_${spec.output}`];
  const few = rows <= MATVEC_ROWS;
  const lanes = gpu.adapter.software ? 1 : 8;
  const per = rows <= 32 ? 4 : 8;
  const kernel = few
    ? await gpu.kernels.get({
        name: 'matvec',
        parts,
        consts: { ROWS: rows <= 2 ? rows : rows <= 4 ? 4 : 8, LANES: lanes },
      })
    : await gpu.kernels.get({ name: 'matmul', parts, consts: { PER_M: per, PER_N: per } });
  const tileColumns = few ? 64 / lanes : 8 * per;
  const tileRows = few ? rows : 8 * per;
  const perDispatch = Math.max(1, Math.floor(MAX_WORK / (rows * inputs) / tileColumns)) * tileColumns;
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
        workgroups: [Math.ceil(count / tileColumns), Math.ceil(rows / tileRows)],
        work: rows * count * inputs,
      }),
    );
  }
  return dispatches;
}
