import { describe, expect, test } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import type { KernelCache, KernelSpec } from '../../src/gpu/kernel';
import { selfTested } from '../../src/model/selfTest';
import { openGpu } from '../support/gpu';
import { testVariants } from '../support/variants';

/** A device on which kernels with `part` compute something else: GELU of the result. */
function broken(gpu: Gpu, part: string): Gpu {
  const kernels = {
    get: (spec: KernelSpec) => {
      const wrong = spec.parts?.includes(part) && spec.name !== 'conv2d';
      return gpu.kernels.get(wrong ? { ...spec, parts: ['weights_fp16', 'output_gelu'] } : spec);
    },
  };
  return { ...gpu, kernels: kernels as KernelCache };
}

const variantSets = await testVariants();

describe('self-test', { timeout: 180_000 }, () => {
  test.each(variantSets)('passes, $name', async ({ variants }) => {
    const gpu = await openGpu({ variants });
    expect(await selfTested(gpu)).toBe(gpu);
    gpu.dispose();
  });

  test('a variant that computes wrongly is not used; a wrong base refuses', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const fallback = await selfTested(broken({ ...gpu, variants: { f16: true } }, 'weights_f16'));
    expect(fallback.variants.f16).toBe(false);
    await expect(selfTested(broken(gpu, 'weights_fp16'))).rejects.toMatchObject({
      code: 'self-test',
      message: expect.stringMatching(
        /computes wrongly \(matvec \+ .*, 1 rows, first run: [-\d.e]+ instead of [-\d.]+ at 0\)/,
      ) as string,
    });
    gpu.dispose();
  });
});
