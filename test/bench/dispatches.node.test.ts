import { beforeAll, describe, expect, test, vi } from 'vitest';
import { Decoding, somePrompt } from '../../bench/decoding';
import { presetConfig, type PresetName, randomModel } from '../../bench/randomModel';
import type { ModelConfig } from '../../src/format/manifest';
import type { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import type { DispatchSpec, KernelSpec } from '../../src/gpu/kernel';
import { Sampler } from '../../src/model/sampler';
import { Transformer } from '../../src/model/transformer';
import { Weights } from '../../src/model/weights';

/*
 * How many dispatches the engine records for a step, at the shapes of upstream's models. Recording needs no device: buffers and kernels
 * are stand-ins. That the loop creates no GPU objects and awaits no read-back is tested on a real device (test/gpu/generate.test.ts).
 */

/** A device that only remembers sizes. */
function standInDevice(): GPUDevice {
  const nothing = (): void => undefined;
  return {
    limits: {
      maxBufferSize: 2 ** 40,
      maxStorageBufferBindingSize: 2 ** 40,
      maxComputeWorkgroupsPerDimension: 65535,
    },
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: nothing }),
    createCommandEncoder: () => ({ copyBufferToBuffer: nothing, finish: nothing }),
    queue: { writeBuffer: nothing, submit: nothing },
  } as unknown as GPUDevice;
}

function standInGpu(software: boolean): Gpu {
  const kernel = ({ name }: KernelSpec) => ({
    label: name,
    dispatch: (_: Arena, { label = name, workgroups: [x, y = 1, z = 1], work = 0 }: DispatchSpec) => {
      expect(Math.max(x, y, z)).toBeLessThanOrEqual(65535);
      return { label, pipeline: { label: name }, groups: [], workgroups: [x, y, z], work };
    },
  });
  return {
    device: standInDevice(),
    adapter: { vendor: '', architecture: '', device: '', description: '', software },
    variants: { f16: false },
    kernels: { get: async (spec: KernelSpec) => kernel(spec) },
    dispose: () => undefined,
  } as unknown as Gpu;
}

/** Dispatches of a step, and the most that a layer of it takes. */
async function recordedStep(config: ModelConfig, candidates: number): Promise<{ step: number; layer: number }> {
  const gpu = standInGpu(false);
  const { manifest } = randomModel('test', config);
  const source = { manifest, shard: async () => new ArrayBuffer(0) };
  const weights = await Weights.load(gpu.device, source, ['transformer']);
  const transformer = Transformer.create(gpu, config, weights);
  const sampler = await Sampler.create(gpu);
  const decoding = await Decoding.create(transformer, sampler, { candidates, prefix: somePrompt(config.leftLength) });
  const layers = new Map<string, number>();
  // The second residual norm of a layer prepares the next layer's input; neither norm bears a layer's name.
  let current = '';
  for (const { label } of decoding.step) {
    current = /^layer \d+/.exec(label)?.[0] ?? (label === 'residual_norm' ? current : '');
    if (current !== '') layers.set(current, (layers.get(current) ?? 0) + 1);
  }
  decoding.dispose();
  transformer.dispose();
  weights.dispose();
  expect(layers.size).toBe(config.layers);
  return { step: decoding.step.length, layer: Math.max(...layers.values()) };
}

describe('dispatches of a step', () => {
  beforeAll(() => {
    vi.stubGlobal('GPUBufferUsage', { STORAGE: 1, COPY_SRC: 2, COPY_DST: 4, UNIFORM: 8 });
    return () => vi.unstubAllGlobals();
  });

  // The target is 7 a layer everywhere (and embed, its norm, the logits' norm, logits, sample). Above it: products of more than
  // MAX_WORK multiply-adds (src/model/linear.ts), which are split for the sake of software adapters.
  const bounds: readonly (readonly [PresetName, candidates: number, layer: number, step: number])[] = [
    ['350M', 1, 7, 24 * 7 + 5],
    ['350M', 16, 7, 24 * 7 + 5],
    ['350M', 48, 7, 24 * 7 + 5 + 1],
    ['1.3B', 1, 7, 24 * 7 + 5],
    ['1.3B', 16, 7, 24 * 7 + 5],
    ['2.7B', 1, 7, 32 * 7 + 5],
    ['2.7B', 4, 7, 32 * 7 + 5],
  ];
  test.each(bounds)('%s, %d candidates', async (preset, candidates, layer, step) => {
    const recorded = await recordedStep(presetConfig(preset), candidates);
    expect(recorded.layer).toBeLessThanOrEqual(layer);
    expect(recorded.step).toBeLessThanOrEqual(step);
  });

  // Today's numbers as the bounds; the target is 7 a layer.
  const above: readonly (readonly [PresetName, candidates: number, layer: number])[] = [
    ['1.3B', 48, 15],
    ['2.7B', 16, 10],
    ['2.7B', 48, 19],
  ];
  test.each(above)('%s, %d candidates: more than wanted', async (preset, candidates, layer) => {
    expect((await recordedStep(presetConfig(preset), candidates)).layer).toBeLessThanOrEqual(layer);
  });
});
