import { BASE_VARIANTS, type Variants, variantsLabel } from '../../src/gpu/variants';
import { availableVariants } from '../../src/gpu/device';
import { testApi } from './gpu';

/**
 * The kernel variants to test on this adapter, base first. Says on the console what it leaves out; with
 * RUDOLPH_REQUIRE_F16=1 an adapter without `shader-f16`, or without subgroups of 8 lanes, is an error.
 *
 * ```ts
 * describe.each(await testVariants())('layer norm, $name', ({ variants }) => { … openGpu({ variants }) … });
 * ```
 */
export async function testVariants(): Promise<{ readonly name: string; readonly variants: Variants }[]> {
  const adapter = await (await testApi()).requestAdapter();
  if (!adapter) throw new Error('no WebGPU adapter: GPU tests cannot run');
  const { f16, subgroups } = availableVariants(adapter);
  const inNode = typeof document === 'undefined';
  if (!(f16 && subgroups) && inNode && process.env['RUDOLPH_REQUIRE_F16'] === '1') {
    throw new Error(
      'RUDOLPH_REQUIRE_F16=1, but this adapter has no shader-f16 or no subgroups of 8 lanes (lavapipe of Mesa 25 has both)',
    );
  }
  if (!f16) console.warn('skipped: the f16 variants, this adapter has no shader-f16');
  if (!subgroups) console.warn('skipped: the subgroup variants, this adapter has no subgroups of 8 lanes');
  const sets: Variants[] = [BASE_VARIANTS];
  if (f16) sets.push({ ...BASE_VARIANTS, f16 });
  if (subgroups) sets.push({ ...BASE_VARIANTS, subgroups });
  return sets.map((variants) => ({ name: variantsLabel(variants), variants }));
}
