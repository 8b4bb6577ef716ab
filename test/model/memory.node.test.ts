import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelSource } from '../../src/format/modelSource';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import type { GpuMemory } from '../../src/gpu/variants';
import { planDrawing } from '../../src/model/plan';
import { Engine } from '../../src/tasks/engine';
import { openGpu } from '../support/gpu';
import { openTiny } from '../support/tinyEngine';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let source: ModelSource;
beforeAll(async () => {
  ({ source } = await openTiny());
});
afterEach(() => void vi.restoreAllMocks());

/** The most bytes of GPU buffers that there are while some work is done, beyond those before. */
async function peakOf(work: () => Promise<unknown>): Promise<number> {
  const before = Arena.liveBytes;
  let peak = 0;
  const buffer = Arena.prototype.buffer;
  const spy = vi.spyOn(Arena.prototype, 'buffer').mockImplementation(function (this: Arena, ...args) {
    const made = buffer.apply(this, args);
    peak = Math.max(peak, Arena.liveBytes - before);
    return made;
  });
  await work();
  spy.mockRestore();
  return peak;
}

/** As if the device had no room for buffers with such labels. */
function refuseBuffers(pattern: RegExp): void {
  const create = GPUDevice.prototype.createBuffer;
  const pop = GPUDevice.prototype.popErrorScope;
  let refused = false;
  vi.spyOn(GPUDevice.prototype, 'createBuffer').mockImplementation(function (this: GPUDevice, descriptor) {
    refused = pattern.test(descriptor.label ?? '');
    return create.call(this, descriptor);
  });
  vi.spyOn(GPUDevice.prototype, 'popErrorScope').mockImplementation(async function (this: GPUDevice) {
    const now = refused;
    refused = false; // the innermost scope is the one of memory
    const answer = await pop.call(this);
    return now ? new GPUOutOfMemoryError('no room') : answer;
  });
}

describe('what a model takes of the graphics memory', () => {
  it('is worked out before anything is asked for, and is what is taken', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const before = Arena.liveBytes;
    const asked: string[] = [];
    let memory: GpuMemory | null = null;
    const watched: ModelSource = {
      manifest: source.manifest,
      shard: (entry, signal) => {
        asked.push(entry.file);
        return source.shard(entry, signal);
      },
    };
    const engine = await Engine.load(gpu, watched, {
      onMemory: (needed) => {
        memory = needed;
        expect(asked).toEqual([]);
        expect(Arena.liveBytes).toBe(before);
      },
    });
    expect(engine.model.memory).toBe(memory);
    const { weights, cache, activations, imageTokenizer, total, perCandidate, candidates, reading } = memory!;
    expect(candidates).toBe(1);
    expect(Arena.liveBytes - before).toBe(weights);
    expect(total).toBe(weights + cache + activations + imageTokenizer);

    // The first picture; staging buffers come on top, the largest for the pixels: 3 · 32² f32.
    const staging = 16 * 1024;
    const peak = await peakOf(() => engine.textToImage('кот', { seed: 1 }));
    const transformer = cache + activations;
    expect(peak).toBeGreaterThanOrEqual(Math.max(transformer, imageTokenizer));
    expect(peak).toBeLessThanOrEqual(Math.max(transformer, imageTokenizer) + staging);
    expect(Arena.liveBytes - before).toBe(weights + imageTokenizer);

    // Later ones; each candidate adds as much.
    const four = await peakOf(() => engine.textToImage('кот', { seed: 1, count: 4 }));
    const planned = (await planDrawing(gpu, source.manifest, 4)).memory;
    expect(four).toBeGreaterThanOrEqual(planned.cache + planned.activations);
    expect(four).toBeLessThanOrEqual(planned.cache + planned.activations + staging);
    expect(planned.cache).toBeGreaterThan(cache);
    expect(perCandidate).toBeGreaterThan(0);

    const read = await peakOf(() => engine.perplexity({ image: { width: 8, height: 8, data: white(8) } }));
    expect(read).toBeGreaterThan(reading);
    expect(Arena.liveBytes - before).toBe(weights + imageTokenizer + reading);
    engine.dispose();
    expect(Arena.liveBytes).toBe(before);
    gpu.dispose();
  });

  it('the same kernels are planned and then used', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const { kernels } = await planDrawing(gpu, source.manifest);
    const engine = await Engine.load(gpu, source);
    const tested = engine.model.gpu.kernels as unknown as { results: { kernel: string }[] };
    const before = tested.results.length;
    expect(before).toBe(kernels.length);
    await engine.textToImage('кот', { seed: 1 });
    expect(tested.results).toHaveLength(before); // nothing was compiled while a picture was drawn
    engine.dispose();
    gpu.dispose();
  });
});

describe('a model that does not fit', () => {
  /** The device with other limits. */
  const limited = (gpu: Gpu, limits: Partial<GPUSupportedLimits>): Gpu => {
    const all = Object.fromEntries(
      Object.entries(Object.getOwnPropertyDescriptors(GPUSupportedLimits.prototype)).flatMap(([name, { get }]) =>
        get ? [[name, get.call(gpu.device.limits) as number]] : [],
      ),
    );
    return { ...gpu, device: { limits: { ...all, ...limits } } as GPUDevice };
  };

  it('is refused before anything is downloaded, with need and limit', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const shard = vi.fn<ModelSource['shard']>();
    for (const limits of [{ maxStorageBufferBindingSize: 1000 }, { maxBufferSize: 1000 }]) {
      await expect(Engine.load(limited(gpu, limits), { manifest: source.manifest, shard })).rejects.toMatchObject({
        name: 'RudolphError',
        code: 'out-of-memory',
        message: expect.stringMatching(/MiB.*(take a smaller model|binding)/) as string,
        details: { neededBytes: expect.any(Number) as number, limitBytes: 1000 },
      });
    }
    expect(shard).not.toHaveBeenCalled();
    gpu.dispose();
  });

  it('is refused where the device has no room for its weights, before they are downloaded', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const before = Arena.liveBytes;
    const files: string[] = [];
    const watched: ModelSource = {
      manifest: source.manifest,
      shard: (entry, signal) => {
        files.push(entry.file);
        return source.shard(entry, signal);
      },
    };
    refuseBuffers(/^image_logits\.weight$/);
    await expect(Engine.load(gpu, watched)).rejects.toMatchObject({
      code: 'out-of-memory',
      message: expect.stringMatching(
        /memory is full: there is no room for image_logits\.weight .* in use.*smaller model/,
      ) as string,
      details: { label: 'image_logits.weight', reason: 'no room' },
    });
    const own = source.manifest.components.transformer!.shards.map(({ file }) => file);
    expect(files.filter((file) => own.includes(file))).toEqual([]);
    await expect.poll(() => Arena.liveBytes).toBe(before);
    gpu.dispose();
  });

  it('draws again after a drawing for which there was no room', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const engine = await Engine.load(gpu, source);
    const { codebooks } = await engine.textToImage('кот', { seed: 1 });
    const before = Arena.liveBytes;
    for (const label of [/^keys of layer 1$/, /^inner$/, /^tokens$/]) {
      refuseBuffers(label);
      await expect(engine.textToImage('кот', { seed: 1, count: 3 })).rejects.toMatchObject({
        code: 'out-of-memory',
        message: expect.stringContaining('draw or write fewer at once') as string,
      });
      vi.restoreAllMocks();
      await expect.poll(() => Arena.liveBytes).toBe(before);
    }
    expect((await engine.textToImage('кот', { seed: 1 })).codebooks).toEqual(codebooks);
    engine.dispose();
    gpu.dispose();
  });

  it('decodes again after a decoding for which there was no room', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const engine = await Engine.load(gpu, source);
    refuseBuffers(/^decoder\.mid/);
    await expect(engine.textToImage('кот', { seed: 1 })).rejects.toMatchObject({ code: 'out-of-memory' });
    vi.restoreAllMocks();
    expect((await engine.textToImage('кот', { seed: 1 })).images).toHaveLength(1);
    engine.dispose();
    gpu.dispose();
  });
});

function white(side: number): Uint8ClampedArray<ArrayBuffer> {
  return new Uint8ClampedArray(side * side * 4).fill(255);
}
