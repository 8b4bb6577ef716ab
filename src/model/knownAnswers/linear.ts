import { type KernelSpec, packParams } from '../../gpu/kernel';
import { linearTile } from '../linear';
import { dot, halves, series, table, type TestBench } from './bench';

/** Chunks of weights: more than a step takes, no multiple of a tile. */
const inputsOf = ({ name }: KernelSpec): number => 8 * (name === 'matvec' ? 35 : 11);
const HIDDEN = 24;
const COLUMNS = 3 * HIDDEN;

/** Rows of x that are no multiple of a tile. */
function someRows({ name }: KernelSpec, tileRows: number): number {
  const largest = name === 'matmul' || tileRows === (name === 'matmul_subgroup' ? 4 : 8);
  // Fewer rows than the largest tile's fit a tile, or it would have been a larger one; `matvec` has never more.
  return largest && name !== 'matvec' ? tileRows + 3 : tileRows > 2 ? tileRows - 1 : tileRows;
}

/**
 * matvec, matmul, matmul_direct, matmul_subgroup: y = x · weightᵀ + bias, columns in two dispatches of the engine's tiles, in the form of the
 * output's part.
 */
export function linear(t: TestBench): void {
  const tile = linearTile(t.spec);
  const rows = someRows(t.spec, tile.rows);
  const inputs = inputsOf(t.spec);
  const weight = halves(1, COLUMNS * inputs, 0.3);
  const bias = series(2, COLUMNS);
  const x = series(3, rows * inputs);
  const y = table(rows * COLUMNS, (i) => {
    const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
    return dot(x, row * inputs, weight.values, column * inputs, inputs) + bias[column]!;
  });
  const common = {
    bindings: [t.input(x), t.input(bias)],
    partBindings: [t.input(weight.bits)],
    outputBindings: outputs(t, rows, y),
  };
  for (const [first, end] of [
    [0, tile.columns],
    [tile.columns, COLUMNS],
  ] as const) {
    if (first >= COLUMNS) continue;
    t.dispatch({
      ...common,
      // As the engine splits a product: all columns are known to each dispatch.
      params: packParams([rows, COLUMNS, inputs / 8, first]),
      workgroups: [Math.ceil((end - first) / tile.columns), Math.ceil(rows / tile.rows)],
    });
  }
}

function outputs(t: TestBench, rows: number, y: Float64Array): GPUBuffer[] {
  // One row more, which must stay as it is.
  const guarded = (values: Float64Array): Float64Array =>
    table((rows + 1) * COLUMNS, (i) => (i < values.length ? values[i]! : NaN));
  if (t.has('output_plain')) return [t.f32(guarded(y))];
  if (t.has('output_gelu')) return [t.f32(guarded(y.map(gelu)))];
  // Few rows: a step of as many sequences, each behind one of two prefixes of 3 slots, in rings of 4. Many rows: a prefix is filled.
  const filling = rows > 8;
  const [prefixLength, prefixes, ring, position] = filling ? [rows, 1, 1, 0] : [3, 2, 4, 9];
  const slots = prefixes * prefixLength + (filling ? 1 : rows * ring);
  const slotOf = (row: number): number =>
    filling ? row : prefixes * prefixLength + row * ring + ((position - prefixLength) % ring);
  const cached = (offset: number): Float64Array => {
    const values = new Float64Array(slots * HIDDEN).fill(NaN);
    for (let row = 0; row < rows; row++) {
      const from = row * COLUMNS + offset;
      values.set(y.subarray(from, from + HIDDEN), slotOf(row) * HIDDEN);
    }
    return values;
  };
  const state = Uint32Array.from([position, 0, 0, 0, ...Array.from({ length: rows }, (_, s) => s % prefixes)]);
  return [
    t.uniform(packParams([prefixLength, prefixes, ring, filling ? rows : 1, filling ? 1 : 0])),
    t.input(state),
    t.f32(table(rows * HIDDEN, (i) => y[Math.floor(i / HIDDEN) * COLUMNS + (i % HIDDEN)]!)),
    t.f32(cached(HIDDEN)),
    t.f32(cached(2 * HIDDEN)),
  ];
}

/** Upstream's, in its tanh form. */
function gelu(value: number): number {
  return 0.5 * value * (1 + Math.tanh(0.7978845608028654 * value * (1 + 0.044715 * value * value)));
}
