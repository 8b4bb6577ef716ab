import { afterEach, describe, expect, test, vi } from 'vitest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { KernelCache, kernelKey, type KernelSpec } from '../../src/gpu/kernel';
import { composeShader } from '../../src/gpu/shaders';
import { BASE_VARIANTS, type Variants } from '../../src/gpu/variants';
import { TestedKernels } from '../../src/model/selfTest';
import { openGpu } from '../support/gpu';
import { kernelSpecs } from '../support/kernels';
import { testVariants } from '../support/variants';

const variantSets = await testVariants();

/**
 * One of each kernel with each choice of parts: sizes differ by nothing but numbers. Products in all their forms with one output, and one
 * form with each output: software adapters compile slowly.
 */
function oneOfEach(variants: Variants): KernelSpec[] {
  const kinds = new Map<string, KernelSpec>();
  const base = new Set(kernelSpecs(BASE_VARIANTS).map(kernelKey));
  for (const spec of kernelSpecs(variants)) {
    // What reads no weights was there on the base path.
    if ((variants.f16 || variants.subgroups) && base.has(kernelKey(spec))) continue;
    const output = spec.parts?.find((part) => /^output_(gelu|qkv)$/.test(part));
    // How weights are read has nothing to do with what becomes of the sums.
    if (output && variants.f16) continue;
    if (output && /^(matvec|matmul_(direct|subgroup))$/.test(spec.name) && spec.consts?.['ROWS'] !== 4) continue;
    // Two of its forms: with split-K and without. All are compared in linear.test.ts.
    const { SIDE_M: side, PER_N: columns } = spec.consts ?? {};
    if (spec.name === 'matmul' && side !== 4 && (output || columns !== 8)) continue;
    if (output && spec.name === 'matvec' && spec.consts?.['OUTPUTS'] !== 4) continue;
    const numbers = Object.entries({ ...spec.consts, ...spec.constants }).filter(
      ([name]) => !['HEAD', 'WIDTH', 'FILTER_THREADS', 'WORKGROUP'].includes(name),
    );
    const kind = JSON.stringify([spec.name, spec.parts, numbers]);
    if (!kinds.has(kind)) kinds.set(kind, spec); // the first has the smallest numbers, and compiles soonest
  }
  return [...kinds.values()];
}

/** The device with kernels whose text is changed. */
function patched(gpu: Gpu, patch: (code: string) => string): Gpu {
  const compose: typeof composeShader = (...args) => patch(composeShader(...args));
  return { ...gpu, kernels: new KernelCache(gpu.device, compose) };
}

const LINEAR: KernelSpec = {
  name: 'matvec',
  parts: ['weights_fp16', 'output_plain'],
  consts: { ROWS: 1, OUTPUTS: 2 },
};
const LINEAR_F16: KernelSpec = { ...LINEAR, parts: ['weights_f16', 'output_plain'] };
const wrongSum = (code: string): string => code.replace('sum0 += dot(w.low', 'sum0 -= dot(w.low');

describe('self-test', { timeout: 300_000 }, () => {
  afterEach(() => void vi.restoreAllMocks());

  // In Node the driver takes two minutes to compile all base kernels, and whatever draws there tests what it uses: the browser does it.
  const sets = typeof document === 'undefined' ? variantSets.filter(({ name }) => name !== 'base') : variantSets;

  test.each(sets)('finds all kernels right, $name', async ({ variants }) => {
    const gpu = await openGpu({ variants });
    const before = Arena.liveBytes;
    const kernels = new TestedKernels(gpu);
    const specs = oneOfEach(variants);
    await kernels.prepare(specs);
    expect(kernels.results.filter(({ failure }) => failure !== null)).toEqual([]);
    expect(kernels.results).toHaveLength(specs.length);
    expect(kernels.replaced).toBe(false);
    expect(Arena.liveBytes).toBe(before);
    const largest = Math.max(...kernels.results.map(({ difference }) => difference!));
    console.log(
      `self-test: ${specs.length} kernels twice in ${kernels.milliseconds.toFixed(0)} ms beyond compiling, largest difference ${largest.toExponential(1)}`,
    );
    if (!gpu.adapter.software) expect(kernels.milliseconds).toBeLessThan(500);
    // What is known is not tested again.
    await kernels.prepare(specs);
    await kernels.get(specs[0]!);
    expect(kernels.results).toHaveLength(specs.length);
    gpu.dispose();
  });

  test('a variant that computes wrongly is replaced by its base', async () => {
    // Where the adapter has no f16, the other reason is tested: a variant that does not compile.
    const f16 = variantSets.some(({ variants }) => variants.f16);
    const gpu = await openGpu({ variants: f16 ? { f16 } : 'base' });
    const source = patched(gpu, (code) => (code.includes('enable f16') ? wrongSum(code) : code));
    const kernels = new TestedKernels(source);
    expect(await kernels.get(LINEAR_F16)).toBe(await source.kernels.get(LINEAR));
    expect(kernels.replaced).toBe(true);
    expect(kernels.results.map(({ kernel, failure }) => [kernel, failure === null])).toEqual([
      ['matvec + weights_f16 + output_plain + ROWS 1 OUTPUTS 2', false],
      ['matvec + weights_fp16 + output_plain + ROWS 1 OUTPUTS 2', true],
    ]);
    gpu.dispose();
  });

  test('so is a kernel that passes values round its lanes, and says which one it is', async () => {
    const subgroups = variantSets.some(({ variants }) => variants.subgroups);
    const gpu = await openGpu({ variants: subgroups ? { subgroups } : 'base' });
    const source = patched(gpu, (code) => code.replace('subgroupBroadcast(mine, 5u)', 'subgroupBroadcast(mine, 4u)'));
    const kernels = new TestedKernels(source);
    const rows = { consts: { ROWS: 4 } };
    const got = await kernels.get({
      name: 'matmul_subgroup',
      parts: ['weights_fp16', 'dots', 'lanes', 'output_plain'],
      ...rows,
    });
    expect(got.spec).toEqual({ name: 'matmul_direct', parts: ['weights_fp16', 'dots', 'output_plain'], ...rows });
    expect(kernels.replaced).toBe(true);
    gpu.dispose();
  });

  test('a base that computes wrongly is refused, with a report', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const kernels = new TestedKernels(patched(gpu, wrongSum));
    const refused = kernels.prepare([LINEAR, { name: 'image_planes' }]);
    await expect(refused).rejects.toMatchObject({
      name: 'RudolphError',
      code: 'self-test',
      message: expect.stringMatching(
        /computes wrongly \(matvec \+ weights_fp16 .*, first run: [-\d.e]+ instead of [-\d.e]+ at \d+\)/,
      ) as string,
      details: {
        kernel: 'matvec',
        report: expect.stringMatching(
          /^adapter: .+\nfeatures: .+\nkernels: 2 tested twice .+\nFAIL matvec .*: first run: .*\nok {3}image_planes: largest difference \d/,
        ) as string,
      },
    });
    await expect(kernels.get(LINEAR)).rejects.toMatchObject({ code: 'self-test' });
    expect((await kernels.get({ name: 'image_planes' })).label).toBe('image_planes');
    gpu.dispose();
  });

  test('the second run counts, too', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const kernels = new TestedKernels(gpu);
    const dispatch = GPUComputePassEncoder.prototype.dispatchWorkgroups;
    let calls = 0;
    vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups').mockImplementation(function (
      this: GPUComputePassEncoder,
      ...args
    ) {
      if (++calls > 1) return undefined;
      return dispatch.apply(this, args);
    });
    await expect(kernels.get({ name: 'image_planes' })).rejects.toThrow(/image_planes, second run: NaN instead of/);
    gpu.dispose();
  });

  test('one kernel that the device refuses does not spoil the others', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const another = 'struct Params { pixels: u32, channels: u32, stride: u32, more: array<vec4<u32>, 9> }';
    const kernels = new TestedKernels(
      patched(gpu, (code) => code.replace('struct Params { pixels: u32, channels: u32, stride: u32 }', another)),
    );
    // Its uniform is smaller than what this shader wants to read.
    const refused = kernels.prepare([{ name: 'image_planes' }, { name: 'image_transpose' }]);
    await expect(refused).rejects.toMatchObject({ code: 'self-test', details: { kernel: 'image_planes' } });
    expect(kernels.results.find(({ kernel }) => kernel === 'image_transpose')).toMatchObject({ failure: null });
    gpu.dispose();
  });
});
