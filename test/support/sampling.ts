import { afterAll, beforeAll, expect } from 'vitest';
import { Arena, readBack } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { Runner } from '../../src/gpu/runner';
import { classBits, NO_TOKEN, Sampler, type SampleSpec } from '../../src/model/sampler';
import { openGpu } from './gpu';
import { uniform } from './random';

export function normal(seed: number, count: number, scale: number): Float32Array<ArrayBuffer> {
  const random = uniform(seed);
  return Float32Array.from(
    { length: count },
    () => scale * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

export interface DrawResult {
  readonly tokens: Uint32Array;
  readonly done: Uint32Array;
  readonly state: Uint32Array;
}

export type DrawOptions = Partial<Omit<SampleSpec, 'logits' | 'tokens' | 'state' | 'done' | 'forced' | 'allowed'>> & {
  readonly steps?: number;
  readonly start?: number;
  readonly forcedIds?: ArrayLike<number>;
  readonly allowedIds?: readonly number[];
  readonly doneBefore?: ArrayLike<number>;
};

/**
 * Registers hooks: a device, and a sampler on it.
 * @returns `drawTokens` there, by the sampler given or that one; valid inside tests.
 */
export function useSampler(): {
  gpu: Gpu;
  draw(logits: Float32Array<ArrayBuffer>, options: DrawOptions, sampler?: Sampler): Promise<DrawResult>;
} {
  let own: Sampler;
  const current = {
    gpu: undefined as unknown as Gpu,
    draw: (logits: Float32Array<ArrayBuffer>, options: DrawOptions, sampler = own) =>
      drawTokens(current.gpu, sampler, logits, options),
  };
  beforeAll(async () => {
    current.gpu = await openGpu({ variants: 'base' });
    own = await Sampler.create(current.gpu);
  });
  afterAll(() => current.gpu.dispose());
  return current;
}

/** Draws `steps` tokens from the same logits, moving on as a decode loop does. */
async function drawTokens(
  gpu: Gpu,
  sampler: Sampler,
  logits: Float32Array<ArrayBuffer>,
  options: DrawOptions,
): Promise<DrawResult> {
  const arena = new Arena(gpu.device);
  const sequenceLength = options.sequenceLength ?? 16;
  const candidates = options.candidates ?? 1;
  const branches = options.guidance === undefined ? 1 : 2;
  try {
    const state = arena.upload('state', Uint32Array.of(options.start ?? 3, 0));
    const scratch = arena.buffer('next position', 4);
    const tokens = arena.upload('tokens', new Uint32Array(branches * candidates * sequenceLength).fill(777));
    const done = arena.upload(
      'done',
      Uint32Array.from({ length: candidates }, (_, c) => options.doneBefore?.[c] ?? 0),
    );
    const forced = Uint32Array.from({ length: sequenceLength }, (_, i) => options.forcedIds?.[i] ?? NO_TOKEN);
    const logitsRows = options.logitsRows ?? 1;
    const rowStride = options.rowStride ?? logits.length / logitsRows / branches;
    const spec: SampleSpec = {
      firstClass: 0, classes: rowStride, candidateOffset: 0, positionOffset: 1, seed: 1, topK: 0, topP: 1, temperature: 1,
      ...options,
      logits: arena.upload('logits', logits), logitsRows, rowStride, candidates, sequenceLength, state, tokens, done,
      forced: arena.upload('forced', forced),
      ...(options.allowedIds ? { allowed: arena.upload('allowed', classBits(options.allowedIds, options.classes ?? rowStride)) } : {}),
    }; // prettier-ignore
    const dispatches = await sampler.record(arena, spec);
    const runner = new Runner(gpu.device);
    for (let step = 0; step < (options.steps ?? 1); step++) {
      await runner.run(dispatches);
      if (step + 1 === (options.steps ?? 1)) break;
      // state[0] = state[1], by way of another buffer: WebGPU copies between different ones only.
      runner.copy(state, 4, scratch, 0, 4);
      runner.copy(scratch, 0, state, 0, 4);
    }
    await runner.idle();
    return {
      tokens: new Uint32Array(await readBack(gpu.device, tokens)).slice(0, branches * candidates * sequenceLength),
      done: new Uint32Array(await readBack(gpu.device, done)).slice(0, candidates),
      state: new Uint32Array(await readBack(gpu.device, state)).slice(0, 2),
    };
  } finally {
    arena.dispose();
  }
}

/** Draws 3900 tokens and compares how often each class came with its probability (chi-square). */
export async function expectFrequencies(
  draw: (options: DrawOptions) => Promise<DrawResult>,
  expected: Float64Array,
): Promise<void> {
  const counts = new Float64Array(expected.length);
  const candidates = 100;
  const sequenceLength = 40;
  const { tokens } = await draw({
    candidates,
    sequenceLength,
    start: 0,
    steps: sequenceLength - 1,
    seed: 42,
  });
  for (let c = 0; c < candidates; c++)
    for (let p = 1; p < sequenceLength; p++) counts[tokens[c * sequenceLength + p]!]!++;
  const draws = candidates * (sequenceLength - 1);
  let chiSquare = 0;
  expected.forEach((probability, cls) => {
    if (probability > 0) chiSquare += (counts[cls]! - draws * probability) ** 2 / (draws * probability);
  });
  const dropped = [...counts.keys()].filter((cls) => expected[cls] === 0);
  expect(
    dropped.filter((cls) => counts[cls]! > 0),
    'dropped classes that were drawn',
  ).toEqual([]);
  // 27.9 is the 0.1 % point of 9 degrees of freedom (of fewer it is smaller still); the seed is fixed.
  expect(chiSquare, `counts ${counts.join()}, expected ${expected.map((p) => p * draws).join()}`).toBeLessThan(27.9);
  expect(chiSquare).toBeGreaterThan(0.1); // draws that fit too well were no draws
}
