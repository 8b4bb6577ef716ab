import { beforeAll, describe, expect, test, vi } from 'vitest';
import { Decoding, somePrompt } from '../../bench/decoding';
import { presetConfig, type PresetName, randomModel } from '../../bench/randomModel';
import type { ModelConfig } from '../../src/format/manifest';
import type { Gpu } from '../../src/gpu/device';
import { dispatchLimit } from '../../src/gpu/runner';
import { BASE_VARIANTS } from '../../src/gpu/variants';
import { PaperGpu } from '../../src/model/paper';
import { Sampler } from '../../src/model/sampler';
import { Transformer } from '../../src/model/transformer';
import { Weights } from '../../src/model/weights';

/*
 * How many dispatches the engine records for a step, at the shapes of upstream's models. Recording needs no device: buffers and kernels
 * are stand-ins. That the loop creates no GPU objects and awaits no read-back is tested on a real device (test/gpu/generate.test.ts).
 */

/** A GPU on paper, without limits of size. */
function standInGpu(software: boolean): Gpu {
  const limits = { maxBufferSize: 2 ** 40, maxStorageBufferBindingSize: 2 ** 40 };
  return new PaperGpu({
    device: { limits } as GPUDevice,
    adapter: { vendor: '', architecture: '', device: '', description: '', software },
    variants: BASE_VARIANTS,
    failure: {} as Gpu['failure'],
  });
}

/** Dispatches of a step, and the most that a layer of it takes. */
async function recordedStep(
  config: ModelConfig,
  candidates: number,
  software = false,
): Promise<{ step: number; layer: number; work: number }> {
  const gpu = standInGpu(software);
  const { manifest } = randomModel('test', config);
  const source = { manifest, shard: async () => new ArrayBuffer(0) };
  const weights = await Weights.load(gpu.device, source, ['transformer']);
  const transformer = Transformer.create(gpu, config, weights);
  const sampler = await Sampler.create(gpu);
  const decoding = await Decoding.create(transformer, sampler, { candidates, prefix: somePrompt(config.leftLength) });
  const layers = new Map<string, number>();
  // The second residual norm of a layer prepares the next layer's input; neither norm bears a layer's name.
  let current = '';
  for (const { label, workgroups } of decoding.step) {
    expect(Math.max(...workgroups)).toBeLessThanOrEqual(65535);
    current = /^layer \d+/.exec(label)?.[0] ?? (label === 'residual_norm' ? current : '');
    if (current !== '') layers.set(current, (layers.get(current) ?? 0) + 1);
  }
  decoding.dispose();
  transformer.dispose();
  weights.dispose();
  expect(layers.size).toBe(config.layers);
  const work = Math.max(...decoding.step.map((dispatch) => dispatch.work));
  return { step: decoding.step.length, layer: Math.max(...layers.values()), work };
}

describe('dispatches of a step', () => {
  beforeAll(() => {
    vi.stubGlobal('GPUBufferUsage', { STORAGE: 1, COPY_SRC: 2, COPY_DST: 4, UNIFORM: 8 });
    return () => vi.unstubAllGlobals();
  });

  // 7 a layer, and embed, its norm, the logits' norm, logits, sample.
  const cases: readonly (readonly [PresetName, candidates: number, step: number])[] = [
    ['350M', 1, 24 * 7 + 5],
    ['350M', 16, 24 * 7 + 5],
    ['350M', 48, 24 * 7 + 5],
    ['1.3B', 1, 24 * 7 + 5],
    ['1.3B', 16, 24 * 7 + 5],
    ['1.3B', 48, 24 * 7 + 5],
    ['2.7B', 1, 32 * 7 + 5],
    ['2.7B', 4, 32 * 7 + 5],
    ['2.7B', 16, 32 * 7 + 5],
    ['2.7B', 48, 32 * 7 + 5],
  ];
  test.each(cases)('%s, %d candidates', async (preset, candidates, step) => {
    const recorded = await recordedStep(presetConfig(preset), candidates);
    expect(recorded.layer).toBeLessThanOrEqual(7);
    expect(recorded.step).toBeLessThanOrEqual(step);
  });

  // Where the adapter is software, products are split so that none takes a second.
  test('2.7B, 48 candidates, on a software adapter: more of them, each small', async () => {
    const recorded = await recordedStep(presetConfig('2.7B'), 48, true);
    expect(recorded.layer).toBeGreaterThan(7);
    expect(recorded.work).toBeLessThanOrEqual(dispatchLimit({ software: true }));
  });
});
