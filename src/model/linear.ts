import type { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { packParams, type Binding, type Dispatch, type KernelSpec } from '../gpu/kernel';
import { dispatchLimit } from '../gpu/runner';
import { weightsPart } from '../gpu/variants';
import type { GpuTensor } from './weights';

/** Rows up to which `matvec` keeps every row in registers; beyond, `matmul` tiles. */
const MATVEC_ROWS = 8;
/** Rows up to which `matmul` splits K within a workgroup: tiles are few. */
const FEW_ROWS = 64;
/** Rows that a form is timed with at most; so many more take as much longer. */
const TIMED_ROWS = 128;

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
 * columns when one dispatch would take too long. Of a kernel's forms the one that is fastest on this device for such a product.
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
  const product = { ...spec, columns };
  const forms = linearForms(rows, gpu);
  const form = await fastestForm(gpu, product, forms);
  // A form was timed with another output, or at an earlier visit: should this device refuse it now, the usual one serves, or says why not.
  return record(gpu, arena, product, form).catch((error: unknown) => {
    if (form === forms[0]) throw error;
    return record(gpu, arena, product, forms[0]!);
  });
}

/** The forms that serve so many rows, without the parts that they share; see `fastestForm`. */
export function linearForms(rows: number, { adapter, variants }: Pick<Gpu, 'adapter' | 'variants'>): KernelSpec[] {
  const few = rows <= 2 ? rows : rows <= 4 ? 4 : 8;
  if (variants.subgroups)
    return [{ name: 'matmul_subgroup', parts: ['dots', 'lanes'], consts: { ROWS: Math.min(few, 4) } }];
  if (adapter.software) return [{ name: 'matmul_direct', parts: ['dots'], consts: { ROWS: few } }];
  if (rows <= MATVEC_ROWS) {
    // Workgroups of 64 and of 256 or, as far as workgroup memory goes (128 bytes an output and row), of 128.
    const outputs = Math.max(2, few);
    return [1, few === 8 ? 2 : 4].map((times) => ({ name: 'matvec', consts: { ROWS: few, OUTPUTS: times * outputs } }));
  }
  const slices = rows <= FEW_ROWS ? 4 : 1;
  const tiles = [
    ...(rows <= 16 ? [[4, 4, 4]] : []), // 16 × 64
    ...(rows > FEW_ROWS ? [[8, 8, 8]] : []), // 64 × 64
    [8, 4, 4], // 32 × 32
    [8, 8, 4], // 64 × 32
  ] as const;
  return tiles.map(([side, perM, perN]) => ({
    name: 'matmul',
    consts: { SIDE_M: side, PER_M: perM, PER_N: perN, SLICES: slices },
  }));
}

/** The tile of outputs that one workgroup of such a kernel computes. */
export function linearTile({ name, consts = {} }: KernelSpec): { readonly rows: number; readonly columns: number } {
  if (name === 'matmul')
    return { rows: consts['SIDE_M']! * consts['PER_M']!, columns: (64 / consts['SIDE_M']!) * consts['PER_N']! };
  return { rows: consts['ROWS']!, columns: name === 'matvec' ? consts['OUTPUTS']! : 64 };
}

type Product = LinearSpec & { readonly columns: number };

/**
 * Timed with about as many rows of zeros by the product's own weights. They may lie in a cache by then, unlike in a step; for so small
 * differences between forms as there are that does not matter.
 */
async function fastestForm(
  gpu: Gpu,
  { label, rows, weight, bias, columns }: Product,
  forms: readonly KernelSpec[],
): Promise<KernelSpec> {
  if (forms.length === 1 || !gpu.tiles) return forms[0]!;
  const inputs = weight.shape[1]!;
  let timed = 1;
  while (timed < Math.min(rows, TIMED_ROWS)) timed *= 2;
  return gpu.tiles.pick(`${timed} rows, K ${inputs}, ${columns} columns`, forms, async (form, arena) => {
    const x = arena.buffer('timing x', timed * inputs * 4);
    const outputBindings = [arena.buffer('timing y', timed * columns * 4)];
    await arena.allocated(); // before they are bound: a full memory must end the timing only
    const product = { label, x, rows: timed, weight, bias, columns, output: 'plain', outputBindings } as const;
    return record(gpu, arena, product, form);
  });
}

async function record(gpu: Gpu, arena: Arena, spec: Product, form: KernelSpec): Promise<Dispatch[]> {
  const { label, rows, columns, weight } = spec;
  const inputs = weight.shape[1]!;
  const parts = [
    weightsPart(gpu.variants),
    ...(form.parts ?? []),
    ...(spec.output === 'qkv' ? ['cache'] : []),
    `output_${spec.output}`,
  ];
  const kernel = await gpu.kernels.get({ ...form, parts });
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
