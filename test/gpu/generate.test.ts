import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { allowed, MASK_KINDS, sequenceLength } from '../../src/format/geometry';
import type { ModelConfig } from '../../src/format/manifest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { forward } from '../../src/model/forward';
import { generate, type GenerateRequest } from '../../src/model/generate';
import { Sampler } from '../../src/model/sampler';
import { Transformer } from '../../src/model/transformer';
import { Weights } from '../../src/model/weights';
import { expectClose } from '../support/compare';
import { openGpu } from '../support/gpu';
import { randomModel, SMALL } from '../support/randomModel';

const IMAGE_TOKENS = SMALL.imageSide ** 2;
const LEFT = Array.from({ length: SMALL.leftLength }, (_, i) => (i < 6 ? 2 + 7 * i : 0));
const PICTURE = Array.from({ length: IMAGE_TOKENS }, (_, i) => (i * 17) % 50);

const DRAW: GenerateRequest = {
  prefix: LEFT,
  end: SMALL.leftLength + IMAGE_TOKENS,
  candidates: 3,
  firstCandidate: 0,
  stream: 'image',
  classes: SMALL.imageVocabulary - SMALL.imageSpecialTokens,
  sampling: { seed: 5, topK: 20, topP: 0.95, temperature: 1 },
};
const WRITE: GenerateRequest = {
  prefix: [...LEFT, ...PICTURE, 2, 95, 17],
  end: sequenceLength(SMALL),
  candidates: 3,
  firstCandidate: 0,
  stream: 'text',
  classes: SMALL.textVocabulary - SMALL.leftLength,
  endFrom: 90,
  sampling: { seed: 6, topK: 1, topP: 1, temperature: 1 },
};

describe('generate', { timeout: 300_000 }, () => {
  let gpu: Gpu;
  let weights: Weights;
  let transformer: Transformer;
  let sampler: Sampler;
  beforeAll(async () => {
    gpu = await openGpu({ variants: 'base' });
    weights = await Weights.load(gpu.device, await randomModel(SMALL), ['transformer']);
    transformer = Transformer.create(gpu, SMALL, weights);
    sampler = await Sampler.create(gpu);
  });
  afterEach(() => void vi.restoreAllMocks());
  afterAll(() => {
    transformer.dispose();
    weights.dispose();
    gpu.dispose();
  });

  const draw = async (change: Partial<GenerateRequest> = {}): Promise<number[][]> =>
    (await generate(transformer, sampler, { ...DRAW, ...change })).map((tokens) => Array.from(tokens));
  const write = async (change: Partial<GenerateRequest> = {}): Promise<number[][]> =>
    (await generate(transformer, sampler, { ...WRITE, ...change })).map((tokens) => Array.from(tokens));

  /** The class with the largest logit at every position from `first` − 1 on, from one pass over the whole sequence without a cache. */
  async function greedy(
    ids: readonly number[],
    first: number,
    count: number,
    offset: number,
    classes: number,
  ): Promise<number[]> {
    const { logits } = await forward(transformer, [ids]);
    const width = SMALL.textVocabulary + SMALL.imageVocabulary;
    return Array.from({ length: count }, (_, n) => {
      const start = (first + n - 1) * width + offset;
      const row = logits.subarray(start, start + classes);
      return row.indexOf(Math.max(...row));
    });
  }

  test('steps with rings and a shared prefix agree with one pass without a cache: pictures', async () => {
    const [tokens] = await draw({ sampling: { ...DRAW.sampling, topK: 1 }, candidates: 1 });
    expect(tokens).toHaveLength(IMAGE_TOKENS);
    expect(
      await greedy([...LEFT, ...tokens!], SMALL.leftLength, IMAGE_TOKENS, SMALL.textVocabulary, DRAW.classes),
    ).toEqual(tokens);
  });

  test('the same for texts, which end with 3 and zeros', async () => {
    const [tokens] = await write({ candidates: 1 });
    const written = tokens!.indexOf(3) < 0 ? tokens! : tokens!.slice(0, tokens!.indexOf(3) + 1);
    expect(tokens!.slice(written.length).every((id) => id === 0)).toBe(true);
    const expected = await greedy([...WRITE.prefix, ...written], WRITE.prefix.length, written.length, 0, WRITE.classes);
    expect(expected.map((id) => (id >= 90 ? 3 : id))).toEqual(written);
  });

  test('a candidate depends on seed and number alone', async () => {
    const eight = await draw({ candidates: 8 });
    expect(await draw({ candidates: 8 })).toEqual(eight);
    expect(await draw({ candidates: 1 })).toEqual([eight[0]]);
    // Nine rows take another matrix kernel than eight.
    expect((await draw({ candidates: 9 })).slice(0, 8)).toEqual(eight);
    expect(await draw({ candidates: 2, firstCandidate: 5 })).toEqual(eight.slice(5, 7));
    expect(new Set(eight.map(String)).size).toBe(8);
    expect(await draw({ sampling: { ...DRAW.sampling, seed: 6 } })).not.toEqual(eight.slice(0, 3));
    const ids = eight.flat();
    expect(Math.max(...ids)).toBeLessThan(DRAW.classes);
  });

  test('forced tokens are kept and seen by the others', async () => {
    const forced = new Uint32Array(sequenceLength(SMALL)).fill(0xffffffff);
    for (let t = 0; t < SMALL.imageSide; t++) forced[SMALL.leftLength + t] = PICTURE[t]!;
    const free = await draw();
    const kept = await draw({ forced });
    for (const tokens of kept) expect(tokens.slice(0, SMALL.imageSide)).toEqual(PICTURE.slice(0, SMALL.imageSide));
    const tails = (all: number[][]): number[][] => all.map((tokens) => tokens.slice(SMALL.imageSide));
    expect(tails(kept)).not.toEqual(tails(free));
  });

  /** Holds every mapAsync of the token tap back until the loop has submitted everything: a loop that awaited one would hang. */
  test.each(['picture', 'text'] as const)('the loop awaits no read-back: %s', async (kind) => {
    const expected = kind === 'picture' ? await draw() : await write();
    const map = GPUBuffer.prototype.mapAsync;
    let held = 0;
    vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockImplementation(function (
      this: GPUBuffer,
      ...args: Parameters<typeof map>
    ) {
      if (!this.label.startsWith('token tap')) return map.apply(this, args);
      held++;
      return new Promise<undefined>(() => undefined);
    });
    vi.spyOn(performance, 'now').mockImplementation(clock(1000)); // so that every step is due for a preview
    const got = kind === 'picture' ? await draw({ onTokens: () => undefined }) : await write();
    expect(got).toEqual(expected);
    expect(held).toBeGreaterThan(0);
  });

  test('a step is at most 7 dispatches a layer, and nothing is created inside the loop', async () => {
    const created: string[] = [];
    let passes = 0;
    const begin = GPUCommandEncoder.prototype.beginComputePass;
    const dispatch = GPUComputePassEncoder.prototype.dispatchWorkgroups;
    vi.spyOn(GPUCommandEncoder.prototype, 'beginComputePass').mockImplementation(function (
      this: GPUCommandEncoder,
      ...args
    ) {
      passes++;
      return begin.apply(this, args);
    });
    let dispatches = 0;
    vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups').mockImplementation(function (
      this: GPUComputePassEncoder,
      ...args
    ) {
      dispatches++;
      return dispatch.apply(this, args);
    });
    for (const name of [
      'createBuffer',
      'createBindGroup',
      'createComputePipelineAsync',
      'createShaderModule',
    ] as const) {
      const original = GPUDevice.prototype[name] as (...args: unknown[]) => unknown;
      vi.spyOn(GPUDevice.prototype, name).mockImplementation(function (this: GPUDevice, ...args: unknown[]) {
        if (passes > 0) created.push(name);
        return original.apply(this, args);
      } as never);
    }
    let duringLoop: string[] | null = null;
    await draw({
      candidates: 2,
      onPrefix: () => {
        dispatches = 0;
        created.length = 0;
        // What is created from here on, until the final read-back, is created by the loop.
        duringLoop = created;
      },
    });
    // Two staging buffers for the read-backs at the end.
    expect(duringLoop).toEqual(['createBuffer', 'createBuffer']);
    const steps = IMAGE_TOKENS - 1;
    // embed and its norm; 7 a layer; norm and logits; sample
    expect(dispatches / steps).toBe(2 + 7 * SMALL.layers + 2 + 1);
  });

  test('cancels between submissions, and the next call works', async () => {
    const controller = new AbortController();
    const cancelled = draw({ signal: controller.signal, onPrefix: () => controller.abort() });
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    const before = Arena.liveBytes;
    expect(await draw()).toHaveLength(3);
    expect(Arena.liveBytes).toBe(before);
  });
});

test('values that are no numbers are reported, not drawn', async () => {
  const gpu = await openGpu({ variants: 'base' });
  const weights = await Weights.load(gpu.device, await randomModel(SMALL), ['transformer']);
  const transformer = Transformer.create(gpu, SMALL, weights);
  gpu.device.queue.writeBuffer(
    weights.tensor('image_logits.bias').buffer,
    0,
    new Float32Array(SMALL.imageVocabulary).fill(NaN),
  );
  await expect(generate(transformer, await Sampler.create(gpu), DRAW)).rejects.toThrow('values that are no numbers');
  gpu.dispose();
});

describe('masks that are not standard', () => {
  test('bitsets that equal the standard masks give the same logits, others do not', async () => {
    const gpu = await openGpu({ variants: 'base' });
    const length = sequenceLength(SMALL);
    const words = Math.ceil(length / 32);
    const bits = (
      sees: (kind: (typeof MASK_KINDS)[number], query: number, key: number) => boolean,
    ): Record<string, Uint32Array> =>
      Object.fromEntries(
        MASK_KINDS.map((kind) => {
          const mask = new Uint32Array(length * words);
          for (let q = 0; q < length; q++)
            for (let k = 0; k <= q; k++) if (sees(kind, q, k)) mask[q * words + (k >>> 5)]! |= 1 << (k & 31);
          return [kind, mask];
        }),
      );
    const logits = async (config: ModelConfig, masks?: Record<string, Uint32Array>): Promise<Float32Array> => {
      const weights = await Weights.load(gpu.device, await randomModel(config, 1, masks), ['transformer']);
      const transformer = Transformer.create(gpu, config, weights);
      try {
        return (await forward(transformer, [[...LEFT, ...PICTURE, 2, 95, 17, 33]])).logits;
      } finally {
        transformer.dispose();
        weights.dispose();
      }
    };
    const bitset: ModelConfig = { ...SMALL, masks: { form: 'bitset', rightSeesLeft: true } };
    const standard = await logits(SMALL);
    expectClose(
      await logits(
        bitset,
        bits((kind, q, k) => allowed(SMALL, kind, q, k)),
      ),
      standard,
      1e-3,
      'bitset masks',
    );
    const causal = await logits(
      bitset,
      bits(() => true),
    );
    expect(Math.max(...causal.map((value, i) => Math.abs(value - standard[i]!)))).toBeGreaterThan(0.1);
    // 350M_v1: right text does not see left text
    const v1: ModelConfig = { ...SMALL, masks: { form: 'standard', rightSeesLeft: false } };
    const blind = await logits(v1);
    expectClose(
      await logits(
        bitset,
        bits((kind, q, k) => allowed(SMALL, kind, q, k, false)),
      ),
      blind,
      1e-3,
      'masks of 350M_v1',
    );
    expect(Math.max(...blind.map((value, i) => Math.abs(value - standard[i]!)))).toBeGreaterThan(0.1);
    gpu.dispose();
  });
});

/** A clock that advances by `step` at every look. */
function clock(step: number): () => number {
  let time = 0;
  return () => (time += step);
}
