import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { availableVariants, type Gpu } from '../../src/gpu/device';
import { KernelCache, type KernelSpec } from '../../src/gpu/kernel';
import { composeShader, shaderNames } from '../../src/gpu/shaders';
import { KNOWN_ANSWERS } from '../../src/model/knownAnswers';
import {
  allowedClasses,
  DRAW_POSITION,
  filteredLogits,
  FIRST_CANDIDATE,
  GUIDANCE,
  KNOWN_DRAWS,
  KNOWN_FILTERS,
  knownLogits,
} from '../../src/model/knownAnswers/sampling';
import { TestedKernels } from '../../src/model/selfTest';
import { openGpu, testApi } from '../support/gpu';
import { drawFromTwin, drawTwin, filterTwin, mixtureTwin } from '../twins/sampler';

/*
 * Does the self-test notice what it is there for? Every kernel and every part is made wrong in small ways, and each time the self-test has to
 * name the kernel.
 */
const matvec = (output: readonly string[], weights = 'weights_fp16'): KernelSpec => ({
  name: 'matvec',
  parts: [weights, ...output],
  consts: { ROWS: 4, OUTPUTS: 4 },
});
const sample = (logits: string): KernelSpec => ({
  name: 'sample',
  parts: ['random', 'filter', logits],
  constants: { FILTER_THREADS: 64 },
});
const filterProbs: KernelSpec = {
  name: 'filter_probs',
  parts: ['filter', 'logits_plain'],
  constants: { FILTER_THREADS: 64 },
};
const attention = (geometry: string, name = 'attention'): KernelSpec => ({
  name,
  parts: ['cache', geometry],
  consts: { HEAD: 40 },
});
const directly = attention('geometry_standard', 'attention_direct');
const conv2d: KernelSpec = {
  name: 'conv2d',
  parts: ['weights_fp16', 'convolution'],
  constants: { THREADS_M: 8, THREADS_N: 8 },
};
const conv2dDirect: KernelSpec = { name: 'conv2d_direct', parts: ['weights_fp16', 'dots', 'convolution'] };
const tokenLosses: KernelSpec = { name: 'token_losses', parts: ['weights_fp16', 'dots', 'online_sum'] };
const perplexities: KernelSpec = { name: 'perplexities', parts: ['online_sum', 'sum_workgroup'] };
const matmul: KernelSpec = {
  name: 'matmul',
  parts: ['weights_fp16', 'output_plain'],
  consts: { SIDE_M: 8, PER_M: 4, PER_N: 4, SLICES: 4 },
};
const direct: KernelSpec = {
  name: 'matmul_direct',
  parts: ['weights_fp16', 'dots', 'output_plain'],
  consts: { ROWS: 4 },
};
const subgroup: KernelSpec = {
  name: 'matmul_subgroup',
  parts: ['weights_fp16', 'dots', 'lanes', 'output_plain'],
  consts: { ROWS: 4 },
};
const conv2dSubgroup: KernelSpec = {
  name: 'conv2d_subgroup',
  parts: ['weights_fp16', 'dots', 'lanes', 'convolution'],
};
const layerNorm: KernelSpec = { name: 'layer_norm', parts: ['sum_workgroup'] };
const residual: KernelSpec = { name: 'residual_norm', parts: ['sum_workgroup'], constants: { WIDTH: 256 } };
const own = (name: string, constants: Readonly<Record<string, number>> = {}): KernelSpec => ({ name, constants });

/** file → the kernel that shows it, and how it is made wrong: text, and what takes its place. */
const MUTANTS: Readonly<Record<string, readonly (readonly [KernelSpec, find: string, replace: string])[]>> = {
  attention: [
    [attention('geometry_standard'), '(slots[i] * params.heads + head)', '(slots[i] * params.heads)'],
    [attention('geometry_standard'), 'let rescale = exp(maximum - new_maximum);', 'let rescale = 1.0;'],
    [attention('geometry_standard'), 'total *= rescale;', ''],
    [attention('geometry_standard'), '* params.scale;', ';'],
    [
      attention('geometry_standard'),
      'first += WORKGROUP) {\n    var score',
      'first += 2u * WORKGROUP) {\n    var score',
    ],
  ],
  attention_direct: [
    [directly, '* params.heads + head) * QUARTERS;', '* params.heads) * QUARTERS;'],
    [directly, 'params.first_pair + id.x', 'id.x'],
    [directly, 'let rescale = exp(maximum - highest);', 'let rescale = 1.0;'],
    [directly, 'total *= rescale;', ''],
    [directly, '* params.scale;', ';'],
    [directly, 'first += ROUND) {', 'first += 2u * ROUND) {'],
  ],
  codebook_argmax: [
    [own('codebook_argmax', { WORKGROUP: 8 }), 'if (v > value) {', 'if (v >= value) {'],
    [own('codebook_argmax', { WORKGROUP: 64 }), 'c < best_code[index]', 'c > best_code[index]'],
    [own('codebook_argmax', { WORKGROUP: 64 }), 'c < params.codes', 'c < params.stride'],
  ],
  conv2d: [
    [conv2d, 'sums[3] += dots(x_tile[xs + 3u * THREADS_M]', 'sums[3] += dots(x_tile[xs + 2u * THREADS_M]'],
    [conv2d, '>> params.enlarge) * params.x_width', ') * params.x_width'],
    [conv2d, 'let pixel0 = params.first_pixel +', 'let pixel0 ='],
  ],
  conv2d_direct: [
    [conv2dDirect, 'let a2 = counts2 * x[', 'let a2 = x['],
    [conv2dDirect, 'let first = params.first_pixel +', 'let first ='],
    [conv2dDirect, 'high7 += dots8(a7, b7, w4, w5, w6, w7)', 'high7 += dots8(a7, b7, w4, w5, w6, w6)'],
    [conv2dDirect, '>> params.enlarge) * params.x_width', ') * params.x_width'],
    [conv2dDirect, 'exists_high * high3', 'high3'],
  ],
  conv2d_subgroup: [
    [conv2dSubgroup, 'let mine2 = counts2 * x[', 'let mine2 = x['],
    [conv2dSubgroup, 'let first = params.first_pixel +', 'let first ='],
    [conv2dSubgroup, '[lane % 4u]', '[0u]'],
    [conv2dSubgroup, '>> params.enlarge) * params.x_width', ') * params.x_width'],
    [conv2dSubgroup, 'exists * sums3', 'sums3'],
  ],
  embed: [
    [own('embed'), 'token + position_value(image_row, k) +', 'token +'],
    [own('embed'), 'params.text_vocabulary - params.left + position', 'params.text_vocabulary - params.left'],
    [
      own('embed'),
      'var place = right_table + position - image_end;',
      'var place = right_table + position - image_end + 1u;',
    ],
    [own('embed'), 'state[0] = start;', ''],
    [own('embed'), 'k += WORKGROUP) {\n      let token', 'k += 2u * WORKGROUP) {\n      let token'],
  ],
  embed_codes: [
    [
      { name: 'embed_codes', parts: ['weights_fp16'] },
      'y[2u * item + 1u] = values.high;',
      'y[2u * item + 1u] = values.low;',
    ],
  ],
  filter_probs: [
    [filterProbs, 'params.top_k, params.top_p, params.classes, local', '0u, params.top_p, params.classes, local'],
    [filterProbs, '/ sum;', ';'],
    [filterProbs, 'select(-1.0, 0.0, any_class)', '0.0'],
  ],
  group_norm_affine: [
    [own('group_norm_affine', { WORKGROUP: 64 }), 'chunk_size(chunk) * d * d', 'd * d'],
    [own('group_norm_affine', { WORKGROUP: 8 }), 'affine[c] = mean;', 'affine[c] = 0.0;'],
    [own('group_norm_affine', { WORKGROUP: 8 }), 'scale * gain[c]', 'scale * gain[first]'],
  ],
  group_norm_apply: [
    [own('group_norm_apply', { SWISH: 1 }), 'value = value / (1.0 + exp', 'value = value / (2.0 + exp'],
    [own('group_norm_apply', { SWISH: 0 }), '- affine[c])', ')'],
    [own('group_norm_apply', { SWISH: 0 }), '+ bias[c]', '- bias[c]'],
  ],
  group_norm_moments: [
    [own('group_norm_moments'), 'squares += d * d;', 'squares += d;'],
    [own('group_norm_moments'), 'min(first + params.chunk, params.pixels)', 'first + params.chunk'],
  ],
  image_patches: [
    [own('image_patches'), 'tap % 3u - 1u', 'tap % 3u'],
    [own('image_patches'), '2.0 * image', 'image'],
  ],
  image_planes: [
    [own('image_planes'), 'clamp(value, -1.0, 1.0)', 'value'],
    [own('image_planes'), '(item % params.pixels) * params.stride', '(item % params.pixels) * params.channels'],
  ],
  image_softmax: [
    [own('image_softmax', { WORKGROUP: 64 }), '/ sum;', ';'],
    [own('image_softmax', { WORKGROUP: 8 }), 'exp(params.scale *', 'exp('],
    [own('image_softmax', { WORKGROUP: 8 }), 'scores[row + u] = 0.0;', ''],
  ],
  image_transpose: [
    [own('image_transpose'), 'if (p < params.pixels)', 'if (p <= params.pixels)'],
    [own('image_transpose'), 'p * params.x_stride', 'p * params.channels'],
  ],
  inverse_haar: [
    [own('inverse_haar'), 'a * b * x[high + 2u]', 'a * x[high + 2u]'],
    [own('inverse_haar'), 'params.channels + 3u * colour', 'params.channels + colour'],
  ],
  layer_norm: [
    [layerNorm, 'params.first + group.x * params.step', 'params.first + group.x'],
    [layerNorm, '/ f32(params.width) + params.eps', '/ f32(params.width - 1u) + params.eps'],
    [layerNorm, '+ norms[gain + params.width + k]', '+ norms[gain + k]'],
  ],
  matmul: [
    [matmul, '+ bias[column + j]', '- bias[column + j]'],
    [matmul, 'w1.high, w2.high', 'w1.high, w2.low'],
    [matmul, 'chunk < params.chunks)', 'chunk < params.chunks - 1u)'],
    [matmul, 'if (row < params.rows && k4', 'if (row < params.rows - 1u && k4'],
    [matmul, 'first += CHUNKS * SLICES', 'first += CHUNKS'],
    [matmul, 'other < SLICES', 'other < SLICES - 1u'],
    [matmul, 'if (slice > 0u) { return; }', ''],
    [matmul, 'row < params.rows && column + j < params.columns', 'column + j < params.columns'],
  ],
  matmul_direct: [
    [direct, 'dots8(low1, high1, w4, w5, w6, w7)', 'dots8(low1, high1, w4, w5, w6, w6)'],
    [direct, 'params.first_column + (group.x', '(group.x'],
    [direct, 'min(row + 2u, params.rows - 1u)', 'row'],
    [direct, '2u * m + n / 4u', '2u * m'],
    [direct, 'min(ROWS, params.rows - row)', 'ROWS'],
  ],
  matmul_subgroup: [
    [subgroup, 'dots8(from_lanes0_to_3(mine1)', 'dots8(from_lanes0_to_3(mine0)'],
    [subgroup, 'params.first_column + (', '('],
    [subgroup, 'min(row + 2u, params.rows - 1u)', 'row'],
    [subgroup, 'column + n < params.columns', 'true'],
    [subgroup, 'row + 3u < params.rows', 'true'],
  ],
  matvec: [
    [matvec(['output_plain']), 'sum1 += dot(w.low', 'sum1 = dot(w.low'],
    [matvec(['output_plain']), 'chunk += PARTS', 'chunk += 2u * PARTS'],
    [matvec(['output_plain']), 'for (var part = 0u; part < PARTS', 'for (var part = 1u; part < PARTS'],
    [matvec(['output_plain']), 'r < params.rows && target_column', 'target_column'],
  ],
  perplexities: [
    [perplexities, 'total / scored', 'total'],
    [perplexities, 'if (perplexity != 1.0) {', 'if (true) {'],
    [perplexities, 'perplexity = -1.0;', ''],
    [perplexities, 'params.first_result + group.x', 'group.x'],
  ],
  residual_norm: [
    [residual, 'clamp(branch[row + k], -params.limit, params.limit)', 'branch[row + k]'],
    [residual, 'let value = x[row + k] +', 'let value ='],
    [residual, 'x[row + k] = value;', ''],
    [residual, 'let b = moments(local);', 'let b = a;'],
  ],
  sample: [
    [sample('logits_plain'), 'return scaled + random_gumbel', 'return scaled - random_gumbel'],
    [sample('logits_plain'), 'params.candidate_offset + candidate', 'candidate'],
    [sample('logits_plain'), 'token >= params.end_from', 'token > params.end_from'],
    [sample('logits_plain'), 'state[1] = position;', ''],
    [sample('logits_plain'), '+ params.first_class;', ';'],
    [sample('logits_plain'), 'if (done[candidate] == 0u && position', 'if (position'],
    [
      sample('logits_plain'),
      'if (params.top_k != 1u) {\n    filter_select',
      'if (params.top_k > 1u) {\n    filter_select',
    ],
    [sample('logits_guided'), 'branch < params.branches', 'branch < 1u'],
  ],
  token_losses: [
    [tokenLosses, 'sum1 = partials[slice * params.targets + t1];', ''],
    [tokenLosses, 'logits[n] = ONLINE_NOTHING.maximum;', ''],
    [tokenLosses, 'targets[t2].x * params.chunks', 't2 * params.chunks'],
    [tokenLosses, 'first + n == label', 'first + n == label + 1u'],
    [tokenLosses, 'grow(sum3, right3, first + 4u', 'grow(sum3, right3, first'],
  ],
  'parts/cache': [
    [matvec(['cache', 'output_qkv']), '% cache.ring;', ';'],
    [attention('geometry_standard'), 'return prefix * cache.prefix_length + position;', 'return position;'],
    [attention('geometry_standard'), 'sequence * cache.ring +', ''],
  ],
  'parts/convolution': [
    [conv2d, 'if (params.accumulate == 1u) {', 'if (params.accumulate == 2u) {'],
    [conv2dDirect, 'value += bias[n4];', 'value -= bias[n4];'],
    [conv2d, ' || 4u * n4 >= params.y_stride', ''],
  ],
  'parts/dots': [
    [direct, 'dot(c.low, low) + dot(c.high, high)', 'dot(c.low, low)'],
    [tokenLosses, 'dot(d.low, low)', 'dot(c.low, low)'],
  ],
  'parts/filter': [
    [sample('logits_plain'), 'u32(exp(max(filter_scaled(key), -100.0)) * 0x1p31f + 0.5)', '0x1000u'],
    [sample('logits_plain'), 'step.limit = filter_share(total, filter_options.top_p);', ''],
    [filterProbs, 'filter_options.top_k - 1u', 'filter_options.top_k - 2u'],
    [filterProbs, '* filter_options.inverse_temperature;\n}', ';\n}'],
  ],
  'parts/geometry_bitset': [
    [attention('geometry_bitset'), '(key % 32u)', '((key + 1u) % 32u)'],
    [attention('geometry_bitset'), 'return position + 1u;', 'return position;'],
  ],
  'parts/geometry_standard': [
    [attention('geometry_standard'), 'return g.left + min(t, g.side) + 1u;', 'return g.left + min(t, g.side);'],
    [attention('geometry_standard'), 'return g.left + t / g.side + 1u;', 'return g.left + t / g.side;'],
    [attention('geometry_standard'), 'let half = g.kernel / 2u;', 'let half = g.kernel / 2u + 1u;'],
    [attention('geometry_standard'), 'select(j + g.left, j, g.right_sees_left == 1u)', 'j'],
  ],
  'parts/logits_allowed': [
    [sample('logits_allowed'), '& 1u) == 0u', '& 1u) == 2u'],
    [sample('logits_allowed'), '(id % 32u)', '((id + 1u) % 32u)'],
  ],
  'parts/logits_guided': [
    [sample('logits_guided'), '(1.0 - logits_guidance.weight) * conditional', 'conditional'],
    [sample('logits_guided'), '+ logits_guidance.weight * unconditional', ''],
  ],
  'parts/logits_plain': [[sample('logits_plain'), 'logits[row_start + id]', 'logits[row_start + id + 1u]']],
  'parts/online_sum': [
    [tokenLosses, 'select(exp(value - maximum), 1.0, value == maximum)', 'exp(value)'],
    [perplexities, 'a.total * online_exp(a.maximum, maximum) +', 'a.total +'],
  ],
  'parts/output_gelu': [
    [matvec(['output_gelu']), '0.5 * value * (1.0 + tanh(inner))', 'max(value, 0.0)'],
    [matvec(['output_gelu']), '0.044715', '0.04'],
  ],
  'parts/output_plain': [[matvec(['output_plain']), 'row * columns + column', 'column']],
  'parts/output_qkv': [
    [matvec(['cache', 'output_qkv']), 'column < 2u * hidden', 'column <= 2u * hidden'],
    [matvec(['cache', 'output_qkv']), 'sequence, sequence, position', 'sequence, sequence, position + 1u'],
    [matvec(['cache', 'output_qkv']), 'row % output_cache.rows_per_sequence', '0u * row + 1u'],
  ],
  'parts/random': [
    [sample('logits_plain'), 'v ^= v >> vec4<u32>(16u);', ''],
    [sample('logits_plain'), 'return -log(random_exponential(v));', 'return log(random_exponential(v));'],
  ],
  'parts/sum_workgroup': [
    [layerNorm, 'half /= 2u', 'half /= 4u'],
    [perplexities, 'let sum = sum_partial[0];', 'let sum = sum_partial[1];'],
  ],
  'parts/weights_fp16': [
    [
      matvec(['output_plain']),
      'vec4(unpack2x16float(pairs.z), unpack2x16float(pairs.w))',
      'vec4(unpack2x16float(pairs.w), unpack2x16float(pairs.z))',
    ],
  ],
  'parts/lanes': [
    [subgroup, 'subgroupBroadcast(mine, 2u)', 'subgroupBroadcast(mine, 3u)'],
    [conv2dSubgroup, 'subgroupBroadcast(mine, 7u)', 'subgroupBroadcast(mine, 6u)'],
  ],
  'parts/weights_f16': [[matvec(['output_plain'], 'weights_f16'), 'vec4<f32>(half8.high)', 'vec4<f32>(half8.low)']],
  'parts/weights_f32': [
    [{ ...conv2d, parts: ['weights_f32', 'convolution'] }, 'weights_data[2u * index + 1u]', 'weights_data[2u * index]'],
  ],
};

let gpu: Gpu;
beforeAll(async () => {
  const adapter = await (await testApi()).requestAdapter();
  gpu = await openGpu({ variants: availableVariants(adapter!) });
});
afterAll(() => gpu.dispose());

it('covers every kernel and every part', () => {
  expect(Object.keys(MUTANTS).sort()).toEqual(shaderNames());
  expect(Object.keys(KNOWN_ANSWERS).sort()).toEqual(shaderNames().filter((name) => !name.startsWith('parts/')));
});

const mutants = Object.entries(MUTANTS).flatMap(([file, list]) =>
  list.map(([spec, find, replace]) => ({ file, spec, find, replace, title: find.split('\n')[0] })),
);

describe('a wrong kernel is caught', { timeout: 120_000 }, () => {
  test.each(mutants)('$file without "$title"', async ({ file, spec, find, replace }) => {
    // What has a base is replaced by it, and that one is right.
    const f16 = file === 'parts/weights_f16';
    const lanes = spec.parts?.includes('lanes') ?? false;
    if (f16) expect(gpu.variants.f16, 'this test needs an adapter with shader-f16').toBe(true);
    if (lanes) expect(gpu.variants.subgroups, 'this test needs an adapter with subgroups of 8 lanes').toBe(true);
    let changed = 0;
    const compose: typeof composeShader = (...args) => {
      const code = composeShader(...args);
      if ((f16 && !code.includes('enable f16')) || (lanes && !code.includes('enable subgroups'))) return code;
      expect(code).toContain(find);
      changed++;
      return code.replace(find, () => replace);
    };
    const kernels = new TestedKernels({ ...gpu, kernels: new KernelCache(gpu.device, compose) });
    if (f16 || lanes) await kernels.get(spec);
    else {
      const refusal = { code: 'self-test', details: { kernel: spec.name } };
      await expect(kernels.get(spec)).rejects.toMatchObject(refusal);
    }
    expect(changed).toBe(1);
    // It did run, and gave wrong numbers: a text that does not compile would prove nothing.
    expect(kernels.results[0]!.failure).toMatch(/ run: .* instead of /);
  });
});

describe('stored answers', () => {
  it.each(KNOWN_DRAWS.map((draw, n) => [n, draw] as const))(
    'draw %i is that of the twin, and no close decision',
    (_, draw) => {
      const rows = knownLogits(draw);
      const count = draw.tokens.length;
      expect(count).toBe(4);
      const drawn = draw.tokens.map((_, c) => {
        const candidate = FIRST_CANDIDATE + c;
        if (draw.logits === 'logits_guided') {
          const mixture = mixtureTwin(rows[c]!.map(Math.log), rows[count + c]!.map(Math.log), draw.filter, GUIDANCE);
          return drawFromTwin(mixture, draw.seed, candidate, DRAW_POSITION);
        }
        const listed = new Set(draw.logits === 'logits_allowed' ? allowedClasses(draw.classes) : rows[c]!.keys());
        const logits = rows[c]!.map((value, id) => (listed.has(id) ? value : -Infinity));
        return drawTwin(logits, draw.filter, draw.seed, candidate, DRAW_POSITION);
      });
      expect(drawn.map(({ token }) => token)).toEqual(draw.tokens);
      for (const { margin } of drawn) expect(margin).toBeGreaterThan(0.01);
    },
  );

  it.each(['logits_plain', 'logits_allowed'] as const)('filtered classes are those of the twin: %s', (part) => {
    const { classes, filter, kept } = KNOWN_FILTERS;
    const listed = new Set(part === 'logits_allowed' ? allowedClasses(classes) : Array(classes).keys());
    kept[part].forEach((ids, row) => {
      const logits = filteredLogits(row).map((value, id) => (listed.has(id) ? value : -Infinity));
      const probabilities = filterTwin(logits, filter);
      expect([...probabilities.keys()].filter((id) => probabilities[id]! > 0)).toEqual(ids);
      expect(ids.length).toBeGreaterThan(2);
    });
  });
});
