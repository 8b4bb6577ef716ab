import { RudolphError } from '../errors';
import { float16Value, float32ToFloat16 } from '../format/float16';
import { Arena, readBack } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/kernel';
import { Runner } from '../gpu/runner';
import { recordLinear } from './linear';
import { multiply } from './vqgan/conv2d';
import { Recording, ScratchPool } from './vqgan/recording';
import { Weights } from './weights';

const INPUTS = 40; // 5 chunks of weights: no multiple of a tile
const OUTPUTS = 24;
/** Rows of one to many: `matvec` in both forms, `matmul` in both tile sizes. */
const ROWS = [1, 7, 20, 40] as const;
/** f32 sums of 40 products in −1…1: other orders of adding differ by about 1e-6. */
const TOLERANCE = 1e-4;

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
    const xBuffer = arena.upload('x', x);
    const check = async (
      name: string,
      dispatches: readonly Dispatch[],
      y: GPUBuffer,
      rows: number,
    ): Promise<string | null> => {
      for (const run of ['first', 'second']) {
        gpu.device.queue.writeBuffer(y, 0, new Float32Array(rows * OUTPUTS).fill(NaN));
        const runner = new Runner(gpu.device);
        await runner.run(dispatches);
        await runner.flush();
        const got = new Float32Array(await readBack(gpu.device, y, 0, rows * OUTPUTS * 4));
        for (let i = 0; i < got.length; i++) {
          const right = expected(Math.floor(i / OUTPUTS), i % OUTPUTS);
          if (!(Math.abs(got[i]! - right) <= TOLERANCE))
            return `${name}, ${run} run: ${got[i]} instead of ${right.toFixed(6)} at ${i}`;
        }
      }
      return null;
    };
    for (const rows of ROWS) {
      const y = arena.buffer('y', rows * OUTPUTS * 4);
      const dispatches = await recordLinear(gpu, arena, {
        label: 'self-test',
        x: xBuffer,
        rows,
        weight: matrix,
        bias: { name: 'bias', dtype: 'f32', shape: [OUTPUTS], rowStride: OUTPUTS, buffer: biasBuffer },
        output: 'plain',
        outputBindings: [y],
      });
      const failure = await check(`${dispatches[0]!.pipeline.label}, ${rows} rows`, dispatches, y, rows);
      if (failure) return failure;
    }
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
    return await check('conv2d', recording.dispatches, y.buffer, 40);
  } finally {
    arena.dispose();
  }
}
