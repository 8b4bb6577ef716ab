import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import { composeShader, shaderNames } from '../../src/gpu/shaders';
import { BASE_VARIANTS } from '../../src/gpu/variants';
import { openGpu } from '../support/gpu';
import { allKernelSpecs, kernelSpecs, kernelTitle } from '../support/kernels';
import { testVariants } from '../support/variants';

it('knows every file of shaders/', () => {
  const used = allKernelSpecs().flatMap(({ name, parts = [] }) => [name, ...parts.map((part) => `parts/${part}`)]);
  expect([...new Set(used)].sort()).toEqual(shaderNames());
});

it('puts enable directives first and once, then constants', () => {
  const code = composeShader('matvec', ['weights_f16', 'output_plain'], { ROWS: 2 });
  const lines = code.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'));
  expect(lines.slice(0, 2)).toEqual(['enable f16;', 'const ROWS = 2u;']);
  expect(code.match(/enable/g)).toHaveLength(1);
  expect(() => composeShader('matvek')).toThrow('shaders/matvek.wgsl does not exist');
});

it('asks for nothing beyond WGSL itself on the base path, which every browser has to compile', () => {
  for (const spec of kernelSpecs(BASE_VARIANTS)) {
    const code = composeShader(spec.name, spec.parts, spec.consts).replace(/\/\/.*$/gm, '');
    // Extensions, subgroups, and what is a language feature that not all browsers have: pointers to storage as arguments, packed dots.
    expect(
      code.match(/\b(?:enable|requires|diagnostic)\b|\bsubgroup\w+|\bptr<\s*(?:storage|workgroup|uniform)|\bdot4\w+/),
    ).toBeNull();
  }
});

describe.each(await testVariants())('on a device with default limits, $name', ({ variants }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ variants });
  });
  afterAll(() => gpu.dispose());

  let specs = kernelSpecs(variants);
  // Chromium's software adapter takes a second or two for each: of those that differ in numbers only, the last, with the largest.
  if (typeof document !== 'undefined')
    specs = [...new Map(specs.map((spec) => [JSON.stringify([spec.name, spec.parts]), spec])).values()];

  it.each(specs.map((spec) => [kernelTitle(spec), spec] as const))('compiles %s without a message', async (_, spec) => {
    const code = composeShader(spec.name, spec.parts, spec.consts);
    const info = await gpu.device.createShaderModule({ code }).getCompilationInfo();
    const messages = info.messages.map(({ lineNum, message }) => `${message}: ${code.split('\n')[lineNum - 1]}`);
    expect(messages).toEqual([]);
    // Limits (workgroup memory, number of buffers) only count when the pipeline is made.
    const kernel = await gpu.kernels.get(spec);
    expect(kernel.pipeline.getBindGroupLayout(0)).toBeDefined();
  });
});
