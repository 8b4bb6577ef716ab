import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import type { KernelSpec } from '../../src/gpu/kernel';
import { composeShader, shaderNames } from '../../src/gpu/shaders';
import { openGpu } from '../support/gpu';
import { testVariants } from '../support/variants';

/**
 * Hidden sizes and head sizes: those of the presets, and widths that are no multiple of a workgroup. In the browser, whose
 * software adapter compiles slowly, only the ends.
 */
const IN_BROWSER = typeof document !== 'undefined';
const HIDDEN = IN_BROWSER ? [120, 2560] : [64, 120, 256, 1024, 2048, 2560];
const HEAD = IN_BROWSER ? [40, 80] : [16, 32, 40, 64, 80];

/** Every kernel with every choice of parts and constants that the engine makes; `weights` is the part that reads weights. */
function combinations(weights: string): KernelSpec[] {
  const outputs = [['output_plain'], ['output_gelu'], ['cache', 'output_qkv']];
  return [
    { name: 'embed' },
    ...['geometry_standard', 'geometry_bitset'].flatMap((geometry) =>
      HEAD.map((head) => ({ name: 'attention', parts: ['cache', geometry], consts: { HEAD: head } })),
    ),
    { name: 'layer_norm', parts: ['sum_workgroup'] },
    ...HIDDEN.map((width) => ({ name: 'residual_norm', parts: ['sum_workgroup'], constants: { WIDTH: width } })),
    ...outputs.flatMap((output) => [
      ...[1, 2, 4, 8].map((rows) => ({ name: 'matvec', parts: [weights, ...output], consts: { ROWS: rows } })),
      ...[4, 8].map((per) => ({ name: 'matmul', parts: [weights, ...output], consts: { PER_M: per, PER_N: per } })),
    ]),
    { name: 'sample', parts: ['random', 'filter'] },
    { name: 'filter_probs', parts: ['filter'] },
    ...[weights, 'weights_f32'].flatMap((part) =>
      [
        { TILED: 1, threads: 8 },
        { TILED: 1, threads: 16 },
        { TILED: 0, threads: 8 },
      ].map(({ TILED, threads }) => ({
        name: 'conv2d',
        parts: [part],
        constants: { TILED, THREADS_M: threads, THREADS_N: threads },
      })),
    ),
    { name: 'embed_codes', parts: [weights] },
    { name: 'group_norm_moments' },
    { name: 'group_norm_affine' },
    ...[0, 1].map((swish) => ({ name: 'group_norm_apply', constants: { SWISH: swish } })),
    { name: 'codebook_argmax' },
    { name: 'image_patches' },
    { name: 'image_planes' },
    { name: 'image_softmax' },
    { name: 'image_transpose' },
    { name: 'inverse_haar' },
  ];
}

const title = ({ name, parts = [], consts = {}, constants = {} }: KernelSpec): string =>
  [name, ...parts, JSON.stringify({ ...consts, ...constants })].join(' + ');

it('knows every file of shaders/', () => {
  const used = [...combinations('weights_fp16'), ...combinations('weights_f16')].flatMap(({ name, parts = [] }) => [
    name,
    ...parts.map((part) => `parts/${part}`),
  ]);
  expect([...new Set(used)].sort()).toEqual(shaderNames());
});

it('puts enable directives first and once, then constants', () => {
  const code = composeShader('matvec', ['weights_f16', 'output_plain'], { ROWS: 2 });
  const lines = code.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'));
  expect(lines.slice(0, 2)).toEqual(['enable f16;', 'const ROWS = 2u;']);
  expect(code.match(/enable/g)).toHaveLength(1);
  expect(() => composeShader('matvek')).toThrow('shaders/matvek.wgsl does not exist');
});

describe.each(await testVariants())('on a device with default limits, $name', ({ variants }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ variants });
  });
  afterAll(() => gpu.dispose());

  it.each(combinations(variants.f16 ? 'weights_f16' : 'weights_fp16').map((spec) => [title(spec), spec] as const))(
    'compiles %s without a message',
    async (_, spec) => {
      const code = composeShader(spec.name, spec.parts, spec.consts);
      const info = await gpu.device.createShaderModule({ code }).getCompilationInfo();
      const messages = info.messages.map(({ lineNum, message }) => `${message}: ${code.split('\n')[lineNum - 1]}`);
      expect(messages).toEqual([]);
      // Limits (workgroup memory, number of buffers) only count when the pipeline is made.
      const kernel = await gpu.kernels.get(spec);
      expect(kernel.pipeline.getBindGroupLayout(0)).toBeDefined();
    },
  );
});
