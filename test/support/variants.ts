import type { Variants } from '../../src/gpu/device';
import { testApi } from './gpu';

const BASE: Variants = { f16: false };

/** "base" or "f16": for test titles. */
export function variantName(variants: Variants): string {
  return variants.f16 ? 'f16' : 'base';
}

/**
 * The kernel variants to test on this adapter, base first. Says on the console what it leaves out; with
 * RUDOLPH_REQUIRE_F16=1 an adapter without `shader-f16` is an error.
 *
 * ```ts
 * describe.each(await testVariants())('layer norm, $name', ({ variants }) => { … openGpu({ variants }) … });
 * ```
 */
export async function testVariants(): Promise<{ readonly name: string; readonly variants: Variants }[]> {
  const adapter = await (await testApi()).requestAdapter();
  if (!adapter) throw new Error('no WebGPU adapter: GPU tests cannot run');
  const f16 = adapter.features.has('shader-f16');
  const inNode = typeof document === 'undefined';
  if (!f16 && inNode && process.env['RUDOLPH_REQUIRE_F16'] === '1') {
    throw new Error('RUDOLPH_REQUIRE_F16=1, but this adapter has no shader-f16 (lavapipe of Mesa 25 has it)');
  }
  if (!f16) console.warn('skipped: the f16 variants, this adapter has no shader-f16');
  const sets: Variants[] = [BASE];
  if (f16) sets.push({ f16: true });
  return sets.map((variants) => ({ name: variantName(variants), variants }));
}
