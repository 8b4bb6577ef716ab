import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { allowed, MASK_KINDS, sequenceLength } from '../../src/format/geometry';
import type { ModelConfig } from '../../src/format/manifest';
import { Arena } from '../../src/gpu/buffers';
import { KeyValueCache } from '../../src/model/cache';
import { forward } from '../../src/model/forward';
import { generate, type GenerateRequest } from '../../src/model/generate';
import { Sampler } from '../../src/model/sampler';
import { Transformer } from '../../src/model/transformer';
import { Weights } from '../../src/model/weights';
import { expectClose } from '../support/compare';
import { openGpu } from '../support/gpu';
import { randomModel, SMALL } from '../support/randomModel';
import {
  DRAW,
  EMPTY,
  given,
  IMAGE_TOKENS,
  LEFT,
  LENGTH,
  openSmallModel,
  PICTURE,
  type SmallModel,
  WRITE,
} from '../support/smallModel';

describe('generate', { timeout: 300_000 }, () => {
  let model: SmallModel;
  beforeAll(async () => {
    model = await openSmallModel();
  });
  afterEach(() => void vi.restoreAllMocks());
  afterAll(() => model.dispose());

  const draw = (change?: Partial<GenerateRequest>): Promise<number[][]> => model.draw(change);
  const write = (change?: Partial<GenerateRequest>): Promise<number[][]> => model.write(change);

  /** The class with the largest logit at each of these positions. */
  const greedy = async (...args: Parameters<SmallModel['logitsFor']>): Promise<number[]> =>
    (await model.logitsFor(...args)).map((row) => row.indexOf(Math.max(...row)));

  /** Dispatches of every step of a run: those behind the prefix and the first draw. */
  async function stepDispatches(run: (onPrefix: () => void) => Promise<unknown>): Promise<number> {
    let dispatches = 0;
    const dispatch = GPUComputePassEncoder.prototype.dispatchWorkgroups;
    const spy = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups').mockImplementation(function (
      this: GPUComputePassEncoder,
      ...args
    ) {
      dispatches++;
      return dispatch.apply(this, args);
    });
    await run(() => (dispatches = 0));
    spy.mockRestore();
    return dispatches;
  }
  /** embed and its norm; 7 a layer; norm and logits; sample. */
  const STEP = 2 + 7 * SMALL.layers + 2 + 1;

  test('steps with rings and a shared prefix agree with one pass without a cache: pictures', async () => {
    const [tokens] = await draw({ sampling: { ...DRAW.sampling, topK: 1 }, count: 1 });
    expect(tokens).toHaveLength(IMAGE_TOKENS);
    expect(await greedy(DRAW, tokens!)).toEqual(tokens);
  });

  test('the same for texts, which end with 3 and zeros', async () => {
    const [tokens] = await write({ count: 1 });
    const written = tokens!.indexOf(3) < 0 ? tokens! : tokens!.slice(0, tokens!.indexOf(3) + 1);
    expect(tokens!.slice(written.length).every((id) => id === 0)).toBe(true);
    const expected = await greedy(WRITE, written);
    expect(expected.map((id) => (id >= 90 ? 3 : id))).toEqual(written);
  });

  test('a candidate depends on seed and number alone', async () => {
    const eight = await draw({ count: 8 });
    expect(await draw({ count: 8 })).toEqual(eight);
    expect(await draw({ count: 1 })).toEqual([eight[0]]);
    // Nine rows take another matrix kernel than eight.
    expect((await draw({ count: 9 })).slice(0, 8)).toEqual(eight);
    expect(await draw({ count: 7, batch: 3 })).toEqual(eight.slice(0, 7));
    expect(new Set(eight.map(String)).size).toBe(8);
    expect(await draw({ sampling: { ...DRAW.sampling, seed: 6 } })).not.toEqual(eight.slice(0, 3));
    const ids = eight.flat();
    expect(Math.max(...ids)).toBeLessThan(DRAW.classes);
  });

  test('forced tokens are kept and seen by the others', async () => {
    const forced = given([SMALL.leftLength, PICTURE.slice(0, SMALL.imageSide)]);
    const free = await draw();
    const kept = await draw({ forced });
    for (const tokens of kept) expect(tokens.slice(0, SMALL.imageSide)).toEqual(PICTURE.slice(0, SMALL.imageSide));
    const tails = (all: number[][]): number[][] => all.map((tokens) => tokens.slice(SMALL.imageSide));
    expect(tails(kept)).not.toEqual(tails(free));
  });

  test('given tokens right behind the prefix are computed with it: the same tokens in fewer steps', async () => {
    const [first, last] = [SMALL.leftLength, SMALL.leftLength + IMAGE_TOKENS - 3];
    const own = (await draw({ count: 1 }))[0]![0]!;
    const rows = PICTURE.slice(1, 3 * SMALL.imageSide);
    const rest = [last, PICTURE.slice(0, 2)] as const; // not behind the prefix: a step each
    // The first token is drawn, and so nothing can be joined to the prefix; or it is given as it was drawn.
    let stepwise: number[][] = [];
    const steps = await stepDispatches(async (onPrefix) => {
      stepwise = await draw({ count: 1, forced: given([first + 1, rows], rest), onPrefix });
    });
    expect(steps).toBe((IMAGE_TOKENS - 1) * STEP);
    let joined: number[][] = [];
    const fewer = await stepDispatches(async (onPrefix) => {
      joined = await draw({ count: 1, forced: given([first, [own, ...rows]], rest), onPrefix });
    });
    expect(fewer).toBe((IMAGE_TOKENS - 1 - 3 * SMALL.imageSide) * STEP);
    expect(joined).toEqual(stepwise);
    expect(joined[0]!.slice(0, 3 * SMALL.imageSide)).toEqual([own, ...rows]);
    expect(joined[0]!.slice(-3, -1)).toEqual(rest[1]);
  });

  test('where everything is given nothing is computed', async () => {
    const calls: string[] = [];
    const forced = given([SMALL.leftLength, PICTURE]);
    const dispatches = await stepDispatches(async () => {
      const tokens = await draw({
        forced,
        onPrefix: () => calls.push('prefix'),
        onProgress: (done, total) => calls.push(`${done} of ${total}`),
      });
      expect(tokens).toEqual([PICTURE, PICTURE, PICTURE]);
    });
    expect(dispatches).toBe(0);
    expect(calls).toEqual(['prefix', '108 of 108']);
  });

  test('a given end closes a text, wherever it stands', async () => {
    const first = WRITE.prefix.length;
    const padded = (...ids: number[]): number[] =>
      Array.from({ length: LENGTH - WRITE.prefix.length }, (_, i) => ids[i] ?? 0);
    expect(await write({ count: 1, forced: given([first, [5, 3, 7]]) })).toEqual([padded(5, 3)]);
    expect(await write({ count: 1, forced: given([first, [3]]) })).toEqual([padded(3)]);
  });

  test('batches draw what one batch draws, and compute the prefix once', async () => {
    // Many ids count as the end, so that texts end early and at different times.
    const text = { count: 7, endFrom: 60, sampling: { ...WRITE.sampling, topK: 0 } };
    const together = await write(text);
    const prefixes: number[] = [];
    const inBatches = await write({ ...text, batch: 3, onPrefix: () => prefixes.push(1) });
    expect(inBatches).toEqual(together);
    expect(prefixes).toHaveLength(1);
    const ends = together.map((ids) => ids.indexOf(3));
    expect(new Set(ends).size).toBeGreaterThan(2);
    together.forEach((ids, c) => {
      if (ends[c]! >= 0) expect(ids.slice(ends[c]! + 1).every((id) => id === 0)).toBe(true);
    });
    // As many dispatches as the steps of all batches, and one first draw for each batch but the first: no second prefix.
    const dispatches = await stepDispatches((onPrefix) => draw({ count: 7, batch: 3, onPrefix }));
    expect(dispatches).toBe(3 * (IMAGE_TOKENS - 1) * STEP + 2);
  });

  test('progress grows to all tokens, and the tokens told are those returned', async () => {
    const progress: (readonly [number, number])[] = [];
    const told: { tokens: number[][]; known: readonly number[] }[] = [];
    const now = vi.spyOn(performance, 'now').mockImplementation(clock(1000)); // so that every step is due for a preview
    const drawn = await draw({
      count: 5,
      batch: 2,
      forced: given([SMALL.leftLength, PICTURE.slice(0, 10)]),
      onProgress: (...args) => progress.push(args),
      onTokens: (tokens, known) => told.push({ tokens: tokens.map((ids) => Array.from(ids)), known }),
    });
    now.mockRestore();
    const total = 5 * IMAGE_TOKENS;
    expect(progress.length).toBeGreaterThan(5); // three batches' ends, and some in between
    expect(progress.at(-1)).toEqual([total, total]);
    progress.forEach(([done, all], i) => {
      expect(all).toBe(total);
      expect(done).toBeGreaterThanOrEqual(progress[i - 1]?.[0] ?? 2 * 10);
    });
    expect(told).toHaveLength(progress.length);
    told.forEach(({ tokens, known }, i) => {
      expect(known.reduce((a, b) => a + b)).toBe(progress[i]![0]);
      expect(tokens).toHaveLength(known.length);
      tokens.forEach((ids, c) => {
        expect(ids).toHaveLength(IMAGE_TOKENS);
        expect(ids.slice(0, known[c])).toEqual(drawn[c]!.slice(0, known[c]));
      });
    });
    expect(told.at(-1)!.known).toEqual(Array(5).fill(IMAGE_TOKENS));
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
    vi.spyOn(GPUCommandEncoder.prototype, 'beginComputePass').mockImplementation(function (
      this: GPUCommandEncoder,
      ...args
    ) {
      passes++;
      return begin.apply(this, args);
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
    const dispatches = await stepDispatches((onPrefix) =>
      draw({
        count: 2,
        onPrefix: () => {
          onPrefix();
          created.length = 0;
          // What is created from here on, until the final read-back, is created by the loop.
          duringLoop = created;
        },
      }),
    );
    // Two staging buffers for the read-backs at the end.
    expect(duringLoop).toEqual(['createBuffer', 'createBuffer']);
    expect(dispatches / (IMAGE_TOKENS - 1)).toBe(STEP);
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
  const sampler = await Sampler.create(gpu);
  for (const change of [{}, { guidance: { prefix: EMPTY, weight: 0.2 } }]) {
    await expect(generate(transformer, sampler, { ...DRAW, ...change })).rejects.toThrow('values that are no numbers');
  }
  gpu.dispose();
});

test('batches are as large as the largest binding, in pairs where there are two branches', () => {
  const shape = { prefixes: 2, prefixLength: 10, sequences: 8, tailLength: 36, rings: false };
  const slots = (count: number): number => count * SMALL.hidden * 4;
  expect(KeyValueCache.sequencesThatFit(SMALL, shape, slots(20 + 8 * 36), 2)).toBe(8);
  expect(KeyValueCache.sequencesThatFit(SMALL, shape, slots(20 + 8 * 36) - 1, 2)).toBe(6);
  expect(KeyValueCache.sequencesThatFit(SMALL, shape, slots(20 + 8 * 36) - 1)).toBe(7);
  expect(KeyValueCache.sequencesThatFit(SMALL, shape, slots(20 + 2 * 36), 2)).toBe(2);
  const fits = (): number => KeyValueCache.sequencesThatFit(SMALL, shape, slots(20 + 2 * 36) - 1, 2);
  expect(fits).toThrow(expect.objectContaining({ code: 'out-of-memory', message: expect.stringContaining('2 seq') }));
});

test('batches keep the whole cache below 1 GiB, but are never empty', () => {
  // Captions of 2.7B: a sequence takes 124 · 2560 · 4 · 2 · 32 bytes, what all share 964 · 2560 · 4 · 2 · 32.
  const large = { ...SMALL, layers: 32, hidden: 2560, layerMasks: new Array<'row'>(32).fill('row') };
  const shape = { prefixes: 1, prefixLength: 964, sequences: 48, tailLength: 124, rings: false };
  expect(KeyValueCache.sequencesThatFit(large, shape, 2 ** 31)).toBe(5);
  expect(KeyValueCache.sequencesThatFit(large, { ...shape, prefixLength: 2000 }, 2 ** 31)).toBe(1);
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
