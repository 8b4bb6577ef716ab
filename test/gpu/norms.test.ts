import { afterAll, beforeAll, describe, test } from 'vitest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { f32, packParams } from '../../src/gpu/kernel';
import { runAndRead } from '../support/arrays';
import { expectClose, randomArray } from '../support/compare';
import { openGpu } from '../support/gpu';
import { layerNorm } from '../twins/transformer';

const ROWS = 5;

describe('layer_norm and residual_norm', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ variants: 'base' });
  });
  afterAll(() => gpu.dispose());

  test.each([8, 64, 120, 1000])('width %i', async (width) => {
    const arena = new Arena(gpu.device);
    try {
      // An offset of 100 shows whether the variance was taken as E[x²] − E[x]².
      const x = randomArray(1, ROWS * width).map((value) => value + 100);
      const norms = randomArray(2, 8 * width);
      const row = (data: Float32Array, r: number): Float32Array => data.subarray(r * width, (r + 1) * width);

      const y = arena.buffer('y', ROWS * width * 4);
      const kernel = await gpu.kernels.get({ name: 'layer_norm', parts: ['sum_workgroup'] });
      const dispatch = kernel.dispatch(arena, {
        params: packParams([width, 1, 2, 4, f32(1e-5)]),
        bindings: [arena.upload('x', x), arena.upload('norms', norms), y],
        workgroups: [2],
      });
      const got = await runAndRead(gpu, [dispatch], y, 2 * width);
      for (const r of [0, 1]) {
        expectClose(
          row(got, r),
          layerNorm(row(x, 1 + 2 * r), row(norms, 4), row(norms, 5)),
          2e-4,
          `layer_norm of row ${1 + 2 * r}`,
        );
      }

      const limit = 0.5;
      const branch = randomArray(3, ROWS * width);
      const residual = randomArray(4, ROWS * width, 3);
      const xBuffer = arena.upload('residual', residual);
      const fused = await gpu.kernels.get({
        name: 'residual_norm',
        parts: ['sum_workgroup'],
        constants: { WIDTH: width },
      });
      const normsB = randomArray(5, 4 * width);
      const fusedDispatch = fused.dispatch(arena, {
        params: packParams([2, 0, f32(1e-5), f32(limit)]),
        bindings: [
          arena.upload('branch', branch),
          arena.upload('norms a', norms),
          arena.upload('norms b', normsB),
          xBuffer,
          y,
        ],
        workgroups: [ROWS],
      });
      const gotY = await runAndRead(gpu, [fusedDispatch], y, ROWS * width);
      const gotX = await runAndRead(gpu, [], xBuffer, ROWS * width);
      for (let r = 0; r < ROWS; r++) {
        const clamped = row(branch, r).map((value) => Math.max(-limit, Math.min(limit, value)));
        const a = layerNorm(clamped, row(norms, 2), row(norms, 3));
        const sum = Float64Array.from({ length: width }, (_, k) => row(residual, r)[k]! + a[k]!);
        expectClose(row(gotX, r), sum, 2e-5, `residual_norm: x, row ${r}`);
        expectClose(row(gotY, r), layerNorm(sum, row(normsB, 0), row(normsB, 1)), 2e-5, `residual_norm: y, row ${r}`);
      }
    } finally {
      arena.dispose();
    }
  });
});
