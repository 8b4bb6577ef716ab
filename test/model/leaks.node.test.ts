import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished } from 'vitest';
import { Arena } from '../../src/gpu/buffers';
import { Engine } from '../../src/tasks/engine';
import { openGpu, testApi } from '../support/gpu';
import { openTiny } from '../support/tinyEngine';

/** `npm run test:leaks` has 50. */
const ROUNDS = Number(process.env['RUDOLPH_ROUNDS'] ?? 4);
/** Bytes a round by which the heap may grow in the second half of many rounds: what V8 keeps of code and shapes, no more. */
const GROWTH = 64 * 1024;

it(
  `${ROUNDS} rounds of load and dispose leak neither GPU buffers nor memory`,
  { timeout: 60_000 + ROUNDS * 30_000 },
  async () => {
    const { source, picture } = await openTiny();
    await testApi(); // from here on there are WebGPU's classes
    // Independent of the engine's own counting: every buffer that a device makes, and every one that is destroyed.
    const alive = new Map<GPUBuffer, string>();
    const create = GPUDevice.prototype.createBuffer;
    const destroy = GPUBuffer.prototype.destroy;
    // Not `vi.spyOn`: a spy keeps the device and the buffer of every call, which is the leak that this test looks for.
    GPUDevice.prototype.createBuffer = function (descriptor) {
      const buffer = create.call(this, descriptor);
      alive.set(buffer, descriptor.label ?? '');
      return buffer;
    };
    GPUBuffer.prototype.destroy = function () {
      alive.delete(this);
      return destroy.call(this);
    };
    onTestFinished(() => {
      GPUDevice.prototype.createBuffer = create;
      GPUBuffer.prototype.destroy = destroy;
    });
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const before = Arena.liveBytes;
    const heap: number[] = [];
    let most = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const gpu = await openGpu({ variants: 'base' });
      const engine = await Engine.load(gpu, source);
      await engine.textToImage('кот', { seed: round, count: 2 });
      if (round % 2 === 0) await engine.caption(picture, { seed: round, count: 2, keep: 1 });
      most = Math.max(most, Arena.liveBytes - before);
      engine.dispose();
      expect(Arena.liveBytes, `bytes after round ${round}`).toBe(before);
      expect([...alive.values()], `buffers after round ${round}`).toEqual([]);
      gpu.dispose();
      collect();
      heap.push(process.memoryUsage().heapUsed);
    }
    expect(most).toBeGreaterThan(1e6);
    const half = Math.floor(ROUNDS / 2);
    const growth = (heap.at(-1)! - heap[half]!) / (ROUNDS - 1 - half);
    console.log(
      `${ROUNDS} rounds: at most ${(most / 2 ** 20).toFixed(1)} MiB of GPU buffers, 0 afterwards; heap ${(heap[0]! / 2 ** 20).toFixed(1)} → ${(heap.at(-1)! / 2 ** 20).toFixed(1)} MiB, ${(growth / 1024).toFixed(1)} kiB a round in the second half`,
    );
    // In a few rounds the engine's code is still being compiled.
    if (ROUNDS >= 20) expect(growth).toBeLessThan(GROWTH);
  },
);
