import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { allowed, MASK_KINDS, sequenceLength } from '../../src/format/geometry';
import type { ModelConfig } from '../../src/format/manifest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { forward } from '../../src/model/forward';
import { fittingShape, score, type ScoreRequest, type Stream } from '../../src/model/score';
import { Transformer } from '../../src/model/transformer';
import { Weights } from '../../src/model/weights';
import { openGpu } from '../support/gpu';
import { randomModel, SMALL } from '../support/randomModel';
import { streamPerplexities } from '../twins/perplexity';

const { leftLength: L, imageSide, rightLength: R, textVocabulary, imageVocabulary } = SMALL;
const I = imageSide ** 2;
const TEXT_CLASSES = textVocabulary - L;
const IMAGE_CLASSES = imageVocabulary - SMALL.imageSpecialTokens;
/** Logits of two ways to compute them differ by about 1e-4 (docs/architecture.md: Numbers), and exp makes a relative difference of it. */
const RELATIVE = 2e-3;
const [BOS, SPECIAL, EOS] = [2, 92, 3];

/** Texts and pictures that differ for every number: `count` ids with bos, special token and eos, padded to `length`. */
const text = (n: number, count: number, length: number): number[] => {
  const ids = Array.from({ length: count }, (_, i) => 4 + ((n * 31 + i * 17 + i * i * n) % 86));
  return [BOS, SPECIAL, ...ids, EOS, ...new Array<number>(length).fill(0)].slice(0, length);
};
const picture = (n: number): number[] =>
  Array.from({ length: I }, (_, i) => (n * 13 + i * 17 + i * i * n) % IMAGE_CLASSES);

describe('score', { timeout: 300_000 }, () => {
  let gpu: Gpu;
  let weights: Weights;
  let transformer: Transformer;
  beforeAll(async () => {
    gpu = await openGpu();
    weights = await Weights.load(gpu.device, await randomModel(SMALL), ['transformer']);
    transformer = Transformer.create(gpu, SMALL, weights);
  });
  afterEach(() => void vi.restoreAllMocks());
  afterAll(() => {
    transformer.dispose();
    weights.dispose();
    gpu.dispose();
  });

  /** The same by one pass over the whole sequence, without a cache, and plain loops. */
  async function twin(ids: readonly number[], model = transformer): Promise<Record<Stream, number>> {
    const { logits } = await forward(model, [ids]);
    const width = textVocabulary + imageVocabulary;
    const rows = ids.map((_, p) => logits.subarray(p * width, (p + 1) * width));
    const classes = { textClasses: TEXT_CLASSES, imageClasses: IMAGE_CLASSES, textVocabulary };
    return streamPerplexities({ left: L, image: I, ...classes }, ids, rows);
  }

  function expectRelative(actual: number | undefined, expected: number, what: string): void {
    expect(Math.abs(actual! / expected - 1), `${what}: ${actual} instead of ${expected}`).toBeLessThan(RELATIVE);
  }

  test('whole sequences, every stream', async () => {
    const prefixes = [1, 2].map((n) => [...text(n, 4 + n, L), ...picture(n), ...text(n + 5, 8 - n, R)]);
    const found = await score(transformer, { prefixes, tails: [], streams: ['left', 'image', 'right'] });
    for (const [n, ids] of prefixes.entries()) {
      const expected = await twin(ids);
      for (const stream of ['left', 'image', 'right'] as const)
        expectRelative(found[stream]![n], expected[stream], `${stream} stream of sequence ${n}`);
    }
    expect(found.left![0]).not.toBeCloseTo(found.left![1]!, 3);
  });

  test('one prefix, many tails in batches that do not divide, and the prefix itself', async () => {
    const prefix = [...text(1, 5, L), ...picture(1)];
    const tails = Array.from({ length: 50 }, (_, n) => ({ prefix: 0, ids: text(n, 1 + (n % 9), R) }));
    const progress: [number, number][] = [];
    const found = await score(transformer, {
      prefixes: [prefix],
      tails,
      streams: ['right', 'image'],
      onProgress: (...now) => progress.push(now),
    });
    expect(found.left).toBeUndefined();
    expect(found.image).toHaveLength(1);
    expect(found.right).toHaveLength(50);
    for (const n of [0, 17, 49]) {
      const expected = await twin([...prefix, ...tails[n]!.ids]);
      expectRelative(found.right![n], expected.right, `tail ${n}`);
      expectRelative(found.image![0], expected.image, 'picture');
    }
    expect(progress[0]![0]).toBe(0);
    const [done, total] = progress.at(-1)!;
    expect(done).toBe(total);
    expect(progress.every(([now], i) => i === 0 || now > progress[i - 1]![0])).toBe(true);
    // The adapter of the tests is a software one: 256 rows a pass.
    if (gpu.adapter.software) expect(progress.length).toBeGreaterThan(3);
  });

  test('several prefixes in groups, with tails in any order and number', async () => {
    const prefixes = Array.from({ length: 7 }, (_, n) => [...text(n, 3 + (n % 3), L), ...picture(n)]);
    // Nothing continues prefix 3.
    const tails = [6, 0, 5, 0, 1, 2, 4, 0, 6].map((prefix, n) => ({ prefix, ids: text(n + 3, 2 + n, R) }));
    const found = await score(transformer, { prefixes, tails, streams: ['left', 'image', 'right'] });
    for (const n of [0, 1, 4, 8]) {
      const { prefix, ids } = tails[n]!;
      const expected = await twin([...prefixes[prefix]!, ...ids]);
      expectRelative(found.right![n], expected.right, `tail ${n}`);
      expectRelative(found.left![prefix], expected.left, `left text ${prefix}`);
      expectRelative(found.image![prefix], expected.image, `picture ${prefix}`);
    }
    expectRelative(found.image![3], (await twin(prefixes[3]!)).image, 'picture 3');
    // Without streams of their own, prefixes that nobody continues are left out.
    const alone = await score(transformer, { prefixes, tails, streams: ['right'] });
    expect(alone.image).toBeUndefined();
    tails.forEach((_, n) => expectRelative(alone.right![n], found.right![n]!, `tail ${n} alone`));
  });

  test('splitting tails from their prefix equals computing whole sequences', async () => {
    const left = text(1, 5, L);
    const tails = [1, 2, 3].map((n) => ({ prefix: 0, ids: [...picture(n), ...text(n, 6, R)] }));
    const split = await score(transformer, { prefixes: [left], tails, streams: ['left', 'image', 'right'] });
    const whole = await score(transformer, {
      prefixes: tails.map(({ ids }) => [...left, ...ids]),
      tails: [],
      streams: ['left', 'image', 'right'],
    });
    expectRelative(split.left![0], whole.left![0]!, 'left');
    for (const stream of ['image', 'right'] as const)
      whole[stream]!.forEach((value, n) => expectRelative(split[stream]![n], value, `${stream} ${n}`));
  });

  test('tails that are cut and tails with pads are the same', async () => {
    const prefixes = [[...text(1, 5, L), ...picture(1)]];
    const of = (length: number): Promise<Partial<Record<Stream, number[]>>> =>
      score(transformer, {
        prefixes,
        tails: [1, 2].map((n) => ({ prefix: 0, ids: text(n, 1 + n, R).slice(0, length) })),
        streams: ['right'],
      });
    expect(await of(5)).not.toEqual(await of(R)); // cuts a token
    expect(await of(6)).toEqual(await of(R));
  });

  test('empty texts, and one candidate', async () => {
    const empty = [...text(0, 0, L), ...picture(1)];
    const found = await score(transformer, {
      prefixes: [empty],
      tails: [{ prefix: 0, ids: text(0, 0, R) }],
      streams: ['left', 'right'],
    });
    const expected = await twin([...empty, ...text(0, 0, R)]);
    expectRelative(found.left![0], expected.left, 'left');
    expectRelative(found.right![0], expected.right, 'right');
    // Nothing but pads, or a bos alone: nothing is scored.
    const nothing = { prefixes: [empty], tails: [{ prefix: 0, ids: [BOS, 0, 0] }] };
    expect(await score(transformer, { ...nothing, streams: ['right'] })).toEqual({ right: [1] });
    expect(await score(transformer, { prefixes: [[0]], tails: [], streams: ['left'] })).toEqual({ left: [1] });
    expect(await score(transformer, { ...nothing, streams: [] })).toEqual({});
  });

  test.each([
    ['bitsets', true],
    ['right text that does not see left text', false],
    ['bitsets without right→left text', false],
  ] as const)('masks: %s', async (name, rightSeesLeft) => {
    const bitset = name.startsWith('bitsets');
    const config: ModelConfig = { ...SMALL, masks: { form: bitset ? 'bitset' : 'standard', rightSeesLeft } };
    const length = sequenceLength(SMALL);
    const words = Math.ceil(length / 32);
    const masks = MASK_KINDS.map((kind) => {
      const mask = new Uint32Array(length * words);
      for (let q = 0; q < length; q++)
        for (let k = 0; k <= q; k++)
          if (allowed(SMALL, kind, q, k, rightSeesLeft)) mask[q * words + (k >>> 5)]! |= 1 << (k & 31);
      return [kind, mask] as const;
    });
    const source = await randomModel(config, 1, bitset ? Object.fromEntries(masks) : {});
    const ownWeights = await Weights.load(gpu.device, source, ['transformer']);
    const own = Transformer.create(gpu, config, ownWeights);
    try {
      const prefix = [...text(1, 5, L), ...picture(1)];
      const tails = [1, 2].map((n) => ({ prefix: 0, ids: text(n, 4 + n, R) }));
      const found = await score(own, { prefixes: [prefix], tails, streams: ['image', 'right'] });
      const ids = [...prefix, ...tails[1]!.ids];
      const expected = await twin(ids, own);
      expectRelative(found.right![1], expected.right, 'tail 1');
      expectRelative(found.image![0], expected.image, 'picture');
      if (!rightSeesLeft) expect(Math.abs(found.right![1]! / (await twin(ids)).right - 1)).toBeGreaterThan(0.01);
    } finally {
      own.dispose();
      ownWeights.dispose();
    }
  });

  test('logits are never stored', async () => {
    const config: ModelConfig = {
      ...SMALL,
      layers: 1,
      layerMasks: ['row'],
      hidden: 64,
      heads: 2,
      textVocabulary: 4096,
      imageVocabulary: 6000,
    };
    const ownWeights = await Weights.load(gpu.device, await randomModel(config), ['transformer']);
    const own = Transformer.create(gpu, config, ownWeights);
    const sizes = vi.spyOn(GPUDevice.prototype, 'createBuffer');
    try {
      const tails = Array.from({ length: 10 }, (_, n) => ({ prefix: 0, ids: text(n, 8, R) }));
      await score(own, { prefixes: [[...text(1, 5, L), ...picture(1)]], tails, streams: ['image', 'right'] });
      const largest = Math.max(...sizes.mock.calls.map(([{ size }]) => size));
      const logits = { image: (I - 1) * 6000 * 4, right: 10 * (R - 2) * 4096 * 4 };
      expect(sizes.mock.calls.length).toBeGreaterThan(20);
      expect(largest).toBeLessThan(Math.min(logits.image, logits.right) / 4);
    } finally {
      own.dispose();
      ownWeights.dispose();
    }
  });

  test('cancels between submissions, and the next call works', async () => {
    const before = Arena.liveBytes;
    const request: ScoreRequest = {
      prefixes: [[...text(1, 5, L), ...picture(1)]],
      tails: [{ prefix: 0, ids: text(1, 5, R) }],
      streams: ['right'],
    };
    const controller = new AbortController();
    const cancelled = score(transformer, {
      ...request,
      signal: controller.signal,
      onProgress: (done) => {
        if (done > 0) controller.abort();
      },
    });
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    expect((await score(transformer, request)).right).toHaveLength(1);
    expect(Arena.liveBytes).toBe(before);
  });

  test.each<[string, Partial<ScoreRequest>, string]>([
    ['a stream that lies across', { streams: ['image'] }, 'a stream to score must lie wholly in one of them'],
    ['a stream that is not there', { tails: [], streams: ['right'] }, 'the right stream begins at position 46'],
    ['prefixes of unequal lengths', { prefixes: [[2], [2, 3]] }, 'prefixes[0] has 1, prefixes[1] has 2'],
    ['no prefix', { prefixes: [] }, 'prefixes must hold sequences of 1 to 58 ids, the first has 0'],
    ['tails that are too long', { tails: [{ prefix: 0, ids: new Array(49).fill(0) }] }, 'ids of tails must hold'],
    ['an unknown prefix', { tails: [{ prefix: 1, ids: [2] }] }, 'tails[0] continues prefix 1, there are 1'],
    ['an id out of range', { tails: [{ prefix: 0, ids: [54] }] }, 'ids of tails[0][0] is 54, expected an image id'],
    ['a scored pad id', { prefixes: [[2, 97, 0, 0, 0, 0, 0, 0, 0, 0]] }, 'id 97 at position 1; scored ids of the left'],
  ])('refuses %s', async (_, change, message) => {
    const request: ScoreRequest = {
      prefixes: [text(1, 5, L)],
      tails: [{ prefix: 0, ids: picture(1).slice(0, 5) }],
      streams: ['left'],
      ...change,
    };
    const across = request.streams.includes('image') ? { prefixes: [[...text(1, 5, L), 1]] } : {};
    await expect(score(transformer, { ...request, ...across })).rejects.toThrow(message);
  });

  test('values that are no numbers are reported', async () => {
    const source = await randomModel(SMALL);
    const ownWeights = await Weights.load(gpu.device, source, ['transformer']);
    const own = Transformer.create(gpu, SMALL, ownWeights);
    const bias = ownWeights.tensor('text_logits.bias').buffer;
    gpu.device.queue.writeBuffer(bias, 0, new Float32Array(textVocabulary).fill(NaN));
    await expect(score(own, { prefixes: [text(1, 5, L)], tails: [], streams: ['left'] })).rejects.toThrow('no numbers');
    own.dispose();
    ownWeights.dispose();
  });
});

describe('batches that fit', () => {
  const limit = 128 * 2 ** 20;
  const model = (hidden: number, layers: number): ModelConfig => ({
    ...SMALL,
    hidden,
    layers,
    layerMasks: new Array<'row'>(layers).fill('row'),
  });
  const shapeOf = (
    config: ModelConfig,
    counts: { prefixRows: number; prefixes: number; tailRows: number; tails: number },
    bindingBytes = limit,
  ): { prefixes: number; sequences: number } => fittingShape(config, { ...counts, mostRows: 1024, bindingBytes });

  test('350M: rows bound them', () => {
    const classes = { prefixRows: 320, prefixes: 1, tailRows: 12, tails: 100 };
    expect(shapeOf(model(1024, 24), classes)).toMatchObject({ prefixes: 1, sequences: 85 });
    expect(shapeOf(model(1024, 24), { prefixRows: 320, prefixes: 8, tailRows: 0, tails: 0 })).toMatchObject({
      prefixes: 3,
      sequences: 0,
    });
  });

  test('2.7B: the cache bounds them', () => {
    const { sequences } = shapeOf(model(2560, 32), { prefixRows: 960, prefixes: 1, tailRows: 127, tails: 100 });
    expect(sequences).toBe(4); // of 8 that have 1024 rows
    const pictures = { prefixRows: 384, prefixes: 1, tailRows: 703, tails: 8 };
    expect(shapeOf(model(2560, 32), pictures)).toMatchObject({ prefixes: 1, sequences: 1 });
  });

  test('one of each always runs unless it cannot be bound', () => {
    const whole = { prefixRows: 1088, prefixes: 3, tailRows: 0, tails: 0 };
    expect(shapeOf(model(2560, 320), whole)).toMatchObject({ prefixes: 1, sequences: 0 });
    const bytes = 1088 * 4 * 2560 * 4;
    expect(shapeOf(model(2560, 32), whole, bytes)).toMatchObject({ prefixes: 1 });
    expect(() => shapeOf(model(2560, 32), whole, bytes - 1)).toThrow(
      `one sequence of 1088 positions needs a larger binding than this device's ${bytes - 1} bytes`,
    );
  });
});
