import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelSource } from '../../src/format/modelSource';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import type { RgbaImage } from '../../src/image/image';
import { Engine } from '../../src/tasks/engine';
import type { ProgressEvent } from '../../src/tasks/types';
import { openGpu } from '../support/gpu';
import { openTiny } from '../support/tinyEngine';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/*
 * One signal ends everything: whatever the engine waits for, it settles within 200 ms (on any adapter, for it waits for no submission), and
 * the next call is right.
 */
const SETTLES_MS = 200;

let source: ModelSource;
let picture: RgbaImage;
let gpu: Gpu;
beforeAll(async () => {
  ({ source, picture } = await openTiny());
  gpu = await openGpu({ variants: 'base' });
});
afterAll(() => gpu.dispose());

/** Runs something under a signal that is aborted when `abort` is called; how long it then took to settle. */
async function stopped(run: (signal: AbortSignal, abort: () => void) => Promise<unknown>): Promise<number> {
  const controller = new AbortController();
  const reason = new DOMException('enough', 'AbortError');
  let aborted = 0;
  const abort = (): void => {
    if (aborted > 0) return;
    aborted = performance.now();
    controller.abort(reason);
  };
  await expect(run(controller.signal, abort)).rejects.toBe(reason);
  expect(aborted).toBeGreaterThan(0);
  return performance.now() - aborted;
}

describe('while loading', () => {
  it.each(['tokenizer', 'transformer', 'imageDecoder'] as const)('a download of the %s that hangs', async (name) => {
    const before = Arena.liveBytes;
    const [first] = source.manifest.components[name]!.shards;
    const took = await stopped((signal, abort) =>
      Engine.load(
        gpu,
        {
          manifest: source.manifest,
          shard: (entry, stop) => {
            if (entry.file !== first!.file) return source.shard(entry, stop);
            setTimeout(abort, 20);
            return new Promise(() => undefined); // not even the signal ends it
          },
        },
        { signal },
      ),
    );
    expect(took).toBeLessThan(SETTLES_MS);
    await expect.poll(() => Arena.liveBytes).toBe(before);
  });

  it('kernels that are being compiled', async () => {
    const before = Arena.liveBytes;
    const slow: Gpu = { ...gpu, kernels: { get: () => new Promise(() => undefined) } };
    const took = await stopped((signal, abort) => {
      setTimeout(abort, 50);
      return Engine.load(slow, source, { signal });
    });
    expect(took).toBeLessThan(SETTLES_MS);
    await expect.poll(() => Arena.liveBytes).toBe(before);
    const engine = await Engine.load(gpu, source);
    expect((await engine.textToImage('кот', { seed: 1 })).images).toHaveLength(1);
    engine.dispose();
  });
});

describe('while working', () => {
  let engine: Engine;
  let expected: readonly (readonly number[])[];
  let idle: number;
  beforeAll(async () => {
    engine = await Engine.load(gpu, source);
    await engine.caption(picture, { seed: 1 });
    expected = (await engine.textToImage('кот', { seed: 1, count: 2 })).codebooks;
    idle = Arena.liveBytes;
  });
  afterAll(() => engine.dispose());

  type Stage = 'image' | 'prompt' | 'tokens' | 'scores' | 'pictures';
  type Context = {
    readonly signal: AbortSignal;
    readonly onEvent: (event: ProgressEvent<Stage> | { readonly type: string }) => void;
  };
  const draw = (context: Context): Promise<unknown> =>
    engine.textToImage('кот', { seed: 2, count: 12, keep: 4 }, context);
  const caption = (context: Context): Promise<unknown> =>
    engine.caption(picture, { seed: 2, count: 12, topK: 0 }, context);

  it.each([
    ['prefill', 'prompt', 0, draw],
    ['decode', 'tokens', 1, draw],
    ['ranking', 'scores', 0, draw],
    ['VQGAN decode', 'pictures', 0, draw],
    ['VQGAN decode of a later picture', 'pictures', 2, draw],
    ['VQGAN encode', 'image', 0, caption],
    ['drafts', 'tokens', 1, caption],
  ] as const)('%s', async (_, stage: Stage, from: number, run) => {
    const took = await stopped((signal, abort) =>
      run({
        signal,
        onEvent: (event) => {
          if ('stage' in event && event.stage === stage && event.done >= from) abort();
        },
      }),
    );
    console.log(`stopped in ${took.toFixed(1)} ms`);
    expect(took).toBeLessThan(SETTLES_MS);
    // At once, and nothing is left over.
    expect((await engine.textToImage('кот', { seed: 1, count: 2 })).codebooks).toEqual(expected);
    await expect.poll(() => Arena.liveBytes).toBe(idle);
  });

  it('a kernel that a task needs and that is being compiled', async () => {
    const { kernels } = engine.model.gpu;
    const spy = vi.spyOn(kernels, 'get').mockImplementation(() => new Promise(() => undefined));
    const took = await stopped((signal, abort) => {
      setTimeout(abort, 30);
      return engine.textToImage('кот', { seed: 1 }, { signal });
    });
    spy.mockRestore();
    expect(took).toBeLessThan(SETTLES_MS);
    expect((await engine.textToImage('кот', { seed: 1, count: 2 })).codebooks).toEqual(expected);
    await expect.poll(() => Arena.liveBytes).toBe(idle);
  });

  it('before it has begun', async () => {
    const reason = new Error('not at all');
    const told: unknown[] = [];
    const context = { signal: AbortSignal.abort(reason), onEvent: (event: unknown) => void told.push(event) };
    await expect(engine.textToImage('кот', {}, context)).rejects.toBe(reason);
    expect(told).toEqual([]);
  });
});
