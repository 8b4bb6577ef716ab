import { RudolphError } from '../errors';
import { float16Value, float32ToFloat16 } from '../format/float16';
import { Arena, readBack } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/kernel';
import { Runner } from '../gpu/runner';
import { recordLinear } from './linear';
import { recordPerplexities } from './perplexities';
import { multiply } from './vqgan/conv2d';
import { Recording, ScratchPool } from './vqgan/recording';
import { Weights } from './weights';

const INPUTS = 40; // 5 chunks of weights: no multiple of a tile
const OUTPUTS = 24;
/** Rows of one to many: `matvec` in both forms, `matmul` in both tile sizes. */
const ROWS = [1, 7, 20, 40] as const;
/** f32 sums of 40 products in −1…1: other orders of adding differ by about 1e-6; exp of such a difference is as relative. */
const TOLERANCE = 1e-4;
/** Two sequences: the rows that are scored, and their labels. */
const TARGETS = {
  rows: [[1, 6, 6, 2, 39], [7]],
  labels: [[0, 23, 4, 16, 9], [5]],
} as const;

/**
 * Checks every kernel that reads weights, in the variant that `gpu` has chosen, against answers computed here in double
 * precision, twice: some drivers compute only the first run right, or none (PEERS: silent garbage).
 * @returns `gpu`, or the same device with the base variants when its own variants failed.
 * @throws RudolphError `self-test` when the base kernels fail: better no picture than a wrong one.
 */
export async function selfTested(gpu: Gpu): Promise<Gpu> {
  const failure = await failingKernel(gpu);
  if (failure === null) return gpu;
  if (gpu.variants.f16) {
    const base: Gpu = { ...gpu, variants: { ...gpu.variants, f16: false } };
    if ((await failingKernel(base)) === null) return base;
  }
  const { description, vendor, architecture } = gpu.adapter;
  throw new RudolphError(
    'self-test',
    `this graphics adapter computes wrongly (${failure}); a newer driver or browser may help`,
    { failure, description, vendor, architecture },
  );
}

/** The first kernel that gives a wrong answer, with the numbers; null when all are right. */
async function failingKernel(gpu: Gpu): Promise<string | null> {
  const arena = new Arena(gpu.device);
  try {
    const weightBits = float32ToFloat16(Float32Array.from({ length: OUTPUTS * INPUTS }, (_, i) => Math.sin(i * 0.7)));
    const weight = Float64Array.from(weightBits, float16Value);
    const bias = Float32Array.from({ length: OUTPUTS }, (_, i) => i / OUTPUTS);
    const x = Float32Array.from({ length: Math.max(...ROWS) * INPUTS }, (_, i) => Math.cos(i * 0.3));
    const expected = (row: number, column: number): number => {
      let sum = bias[column]!;
      for (let k = 0; k < INPUTS; k++) sum += x[row * INPUTS + k]! * weight[column * INPUTS + k]!;
      return sum;
    };
    const matrix = {
      name: 'self-test',
      dtype: 'f16',
      shape: [OUTPUTS, INPUTS],
      rowStride: INPUTS,
      buffer: arena.upload('weight', weightBits),
    } as const;
    const biasBuffer = arena.upload('bias', bias);
    const biasVector = {
      name: 'bias',
      dtype: 'f32',
      shape: [OUTPUTS],
      rowStride: OUTPUTS,
      buffer: biasBuffer,
    } as const;
    const xBuffer = arena.upload('x', x);
    const check = async (
      name: string,
      dispatches: readonly Dispatch[],
      y: GPUBuffer,
      right: ArrayLike<number>,
    ): Promise<string | null> => {
      for (const run of ['first', 'second']) {
        gpu.device.queue.writeBuffer(y, 0, new Float32Array(right.length).fill(NaN));
        const runner = new Runner(gpu.device);
        await runner.run(dispatches);
        await runner.flush();
        const got = new Float32Array(await readBack(gpu.device, y, 0, right.length * 4));
        for (let i = 0; i < got.length; i++) {
          if (!(Math.abs(got[i]! - right[i]!) <= TOLERANCE * Math.max(1, right[i]!)))
            return `${name}, ${run} run: ${got[i]} instead of ${right[i]!.toFixed(6)} at ${i}`;
        }
      }
      return null;
    };
    const products = (rows: number): Float64Array =>
      Float64Array.from({ length: rows * OUTPUTS }, (_, i) => expected(Math.floor(i / OUTPUTS), i % OUTPUTS));
    for (const rows of ROWS) {
      const y = arena.buffer('y', rows * OUTPUTS * 4);
      const dispatches = await recordLinear(gpu, arena, {
        label: 'self-test',
        x: xBuffer,
        rows,
        weight: matrix,
        bias: biasVector,
        output: 'plain',
        outputBindings: [y],
      });
      const failure = await check(`${dispatches[0]!.pipeline.label}, ${rows} rows`, dispatches, y, products(rows));
      if (failure) return failure;
    }
    const perplexities = arena.buffer('perplexities', TARGETS.rows.length * 4);
    const scoring = await recordPerplexities(gpu, arena, {
      label: 'self-test',
      x: xBuffer,
      weight: matrix,
      bias: biasVector,
      classes: OUTPUTS,
      targets: TARGETS,
      results: perplexities,
      firstResult: 0,
    });
    const means = TARGETS.rows.map((rows, s) => {
      const each = rows.map((row, t) => {
        const label = expected(row, TARGETS.labels[s]![t]!);
        return bias.reduce((sum, _, column) => sum + Math.exp(expected(row, column) - label), 0);
      });
      return each.reduce((a, b) => a + b) / each.length;
    });
    const failure = await check(scoring[0]!.pipeline.label, scoring, perplexities, means);
    if (failure) return failure;
    // A 1×1 convolution is the same product; its weights are given directly, so it needs no loaded model.
    const recording = new Recording(gpu, new ScratchPool(arena), Weights.empty(gpu.device));
    const picture = { buffer: xBuffer, width: 5, height: 8, channels: INPUTS, stride: INPUTS };
    const rows = {
      part: recording.weightsPart,
      binding: matrix.buffer,
      rows: OUTPUTS,
      rowStride: INPUTS,
      bias: biasBuffer,
    };
    const y = await multiply(recording, 'self-test', picture, rows, { kernel: 1 });
    return await check('conv2d', recording.dispatches, y.buffer, products(40));
  } finally {
    arena.dispose();
  }
}
