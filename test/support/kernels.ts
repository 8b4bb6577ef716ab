import type { KernelSpec } from '../../src/gpu/kernel';
import { type AdapterDescription, BASE_VARIANTS, type Variants, weightsPart } from '../../src/gpu/variants';
import { linearForms } from '../../src/model/linear';

/**
 * Hidden sizes and head sizes: those of the presets, and widths that are no multiple of a workgroup. In the browser, whose
 * software adapter compiles slowly, only the ends.
 */
const IN_BROWSER = typeof document !== 'undefined';
const HIDDEN = IN_BROWSER ? [120, 2560] : [64, 120, 256, 1024, 2048, 2560];
const HEAD = IN_BROWSER ? [40, 80] : [16, 32, 40, 64, 80];

const GPU: AdapterDescription = { vendor: '', architecture: '', device: '', description: '', software: false };

const OUTPUTS = [['output_plain'], ['output_gelu'], ['cache', 'output_qkv']];

/** Every kernel with every choice of parts and constants that the engine makes with these variants, on any adapter. */
export const kernelSpecs = (variants: Variants): KernelSpec[] => [
  ...plainSpecs(weightsPart(variants)),
  ...(variants.subgroups ? subgroupSpecs(weightsPart(variants)) : []),
];

function subgroupSpecs(weights: string): KernelSpec[] {
  return [
    ...OUTPUTS.flatMap((output) =>
      [1, 2, 4].map((rows) => ({
        name: 'matmul_subgroup',
        parts: [weights, 'dots', 'lanes', ...output],
        consts: { ROWS: rows },
      })),
    ),
    ...[weights, 'weights_f32'].map((part) => ({
      name: 'conv2d_subgroup',
      parts: [part, 'dots', 'lanes', 'convolution'],
    })),
  ];
}

function plainSpecs(weights: string): KernelSpec[] {
  return [
    { name: 'embed' },
    ...['attention', 'attention_direct'].flatMap((name) =>
      ['geometry_standard', 'geometry_bitset'].flatMap((geometry) =>
        HEAD.map((head) => ({ name, parts: ['cache', geometry], consts: { HEAD: head } })),
      ),
    ),
    { name: 'layer_norm', parts: ['sum_workgroup'] },
    ...HIDDEN.map((width) => ({ name: 'residual_norm', parts: ['sum_workgroup'], constants: { WIDTH: width } })),
    ...OUTPUTS.flatMap((output) => [
      ...[1, 2, 4, 8].map((rows) => ({
        name: 'matmul_direct',
        parts: [weights, 'dots', ...output],
        consts: { ROWS: rows },
      })),
      // Rows of every choice of forms; those for more than 16 and up to 64 are among those for 16.
      ...[1, 2, 4, 8, 16, 65]
        .flatMap((rows) => linearForms(rows, { adapter: GPU, variants: BASE_VARIANTS }))
        .map((form) => ({ ...form, parts: [weights, ...output] })),
    ]),
    ...[16, 64, 256].flatMap((threads) => [
      ...['logits_plain', 'logits_allowed', 'logits_guided'].map((logits) => ({
        name: 'sample',
        parts: ['random', 'filter', logits],
        constants: { FILTER_THREADS: threads },
      })),
      ...['logits_plain', 'logits_allowed'].map((logits) => ({
        name: 'filter_probs',
        parts: ['filter', logits],
        constants: { FILTER_THREADS: threads },
      })),
    ]),
    ...[weights, 'weights_f32'].flatMap((part) => [
      ...[8, 16].map((side) => ({
        name: 'conv2d',
        parts: [part, 'convolution'],
        constants: { THREADS_M: side, THREADS_N: side },
      })),
      { name: 'conv2d_direct', parts: [part, 'dots', 'convolution'] },
    ]),
    { name: 'token_losses', parts: [weights, 'dots', 'online_sum'] },
    { name: 'perplexities', parts: ['online_sum', 'sum_workgroup'] },
    { name: 'embed_codes', parts: [weights] },
    { name: 'group_norm_moments' },
    ...['group_norm_affine', 'codebook_argmax', 'image_softmax'].flatMap((name) =>
      [8, 64].map((threads) => ({ name, constants: { WORKGROUP: threads } })),
    ),
    ...[0, 1].map((swish) => ({ name: 'group_norm_apply', constants: { SWISH: swish } })),
    { name: 'image_patches' },
    { name: 'image_planes' },
    { name: 'image_transpose' },
    { name: 'inverse_haar' },
  ];
}

/** A spec in words: "matvec + weights_fp16 + output_gelu + {…}". */
export const kernelTitle = ({ name, parts = [], consts = {}, constants = {} }: KernelSpec): string =>
  [name, ...parts, JSON.stringify({ ...consts, ...constants })].join(' + ');

/** Of all variants. */
export const allKernelSpecs = (): KernelSpec[] => [false, true].flatMap((f16) => kernelSpecs({ f16, subgroups: true }));

const known = new Set(allKernelSpecs().map(choices));

/** The spec without the sizes, of which the table has examples only. */
function choices({ name, parts = [], consts = {}, constants = {} }: KernelSpec): string {
  const entries = Object.entries({ ...consts, ...constants }).map(([key, value]) => [
    key,
    key === 'HEAD' || key === 'WIDTH' ? 'any' : value,
  ]);
  return JSON.stringify([name, parts, entries.sort()]);
}

/** Throws when the engine asks for a combination that the table lacks, which then nobody would have compiled everywhere. */
export function expectKnownKernel(spec: KernelSpec): void {
  if (!known.has(choices(spec)))
    throw new Error(`${kernelTitle(spec)} is missing in the table of test/support/kernels.ts`);
}
