import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { ImageTokenizer } from '../../src/model/imageTokenizer';
import { Weights } from '../../src/model/weights';
import { expectClose, randomArray } from '../support/compare';
import { openGpu } from '../support/gpu';
import { CONFIG, randomVqgan } from '../support/randomVqgan';
import { testVariants } from '../support/variants';
import * as twin from '../twins/vqgan';

describe.each(await testVariants())('image tokenizer, $name', ({ variants }) => {
  const { source, network, dwt } = randomVqgan();
  let gpu: Gpu;
  let weights: Weights;
  let tokenizer: ImageTokenizer;
  beforeAll(async () => {
    gpu = await openGpu({ variants });
    weights = await Weights.load(gpu.device, source, ['imageDecoder']);
    tokenizer = await ImageTokenizer.create(gpu, weights, source.manifest);
  });
  afterAll(() => {
    tokenizer.dispose();
    weights.dispose();
    gpu.dispose();
  });

  const picture = (seed: number, width: number, height: number) => ({
    width,
    height,
    data: randomArray(seed, 3 * width * height).map((value) => (value + 1) / 2),
  });
  const codes = (seed: number, count: number) =>
    Array.from(randomArray(seed, count), (value) => Math.floor(((value + 1) / 2) * CONFIG.codes));

  // A wide picture as well: rows and columns must not be mistaken for each other.
  test.each([
    [8, 8],
    [12, 6],
  ])('encodes %i×%i as the twin does', async (width, height) => {
    const image = picture(1, width, height);
    const result = await tokenizer.encode(image, { logits: true });
    const logits = twin.encode(network, twin.planes(3, height, width, image.data));
    expect([result.width, result.height]).toEqual([width / 2, height / 2]);
    expectClose(result.logits!, logits.data, 2e-4, 'logits');
    expect(Array.from(result.indices)).toEqual(twin.argmax(logits));
  });

  test('decodes as the twin does, a square by default', async () => {
    const indices = codes(2, 16);
    const image = await tokenizer.decode(indices);
    expect([image.width, image.height]).toEqual([8, 8]);
    expectClose(image.data, twin.clampToUnit(twin.decode(network, indices, 4, 4)).data, 1e-4, 'picture');
  });

  test('decodes a wide picture, and with the DWT decoder', async () => {
    const indices = codes(3, 12);
    const image = await tokenizer.decode(indices, { width: 6, height: 2 });
    expect([image.width, image.height]).toEqual([12, 4]);
    expectClose(image.data, twin.clampToUnit(twin.decode(network, indices, 2, 6)).data, 1e-4, 'picture');
    const large = await tokenizer.decode(indices, { width: 6, dwt: true });
    expect([large.width, large.height]).toEqual([24, 8]);
    expectClose(
      large.data,
      twin.clampToUnit(twin.inverseHaar(twin.decode(dwt, indices, 2, 6))).data,
      1e-4,
      'DWT picture',
    );
  });

  test('calls at the same time do not disturb each other, and repeat exactly', async () => {
    const tasks = [4, 5, 6].map((seed) => () => tokenizer.decode(codes(seed, 16)));
    const alone = [];
    for (const task of tasks) alone.push(await task());
    const [encodedAlone] = [await tokenizer.encode(picture(7, 8, 8))];
    const [first, second, third, encoded] = await Promise.all([
      tasks[0]!(),
      tasks[1]!(),
      tasks[2]!(),
      tokenizer.encode(picture(7, 8, 8)),
    ]);
    expect([first, second, third]).toEqual(alone);
    expect(encoded).toEqual(encodedAlone);
  });

  test('nothing is created for a size that was decoded before', async () => {
    await tokenizer.decode(codes(8, 16));
    const { created, liveBytes } = Arena;
    await tokenizer.decode(codes(9, 16));
    expect(Arena.created).toBe(created + 1); // the staging buffer through which the picture is read back
    expect(Arena.liveBytes).toBe(liveBytes);
  });

  test('dispose frees everything but the weights', async () => {
    const before = Arena.liveBytes;
    const other = await ImageTokenizer.create(gpu, { decoder: weights }, source.manifest);
    await other.decode(codes(10, 4));
    expect(Arena.liveBytes).toBeGreaterThan(before);
    other.dispose();
    expect(Arena.liveBytes).toBe(before);
  });

  test('reports progress that rises to 1', async () => {
    const done: number[] = [];
    await tokenizer.decode(codes(11, 16), { onProgress: (part) => done.push(part) });
    expect(done.at(-1)).toBe(1);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });

  test('an aborted call rejects with the reason, and the next one is right', async () => {
    const indices = codes(12, 16);
    const expected = await tokenizer.decode(indices);
    await expect(
      tokenizer.decode(codes(13, 16), { signal: AbortSignal.abort(new DOMException('enough', 'AbortError')) }),
    ).rejects.toThrow('enough');
    const controller = new AbortController();
    const running = tokenizer.decode(codes(14, 16), { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(await tokenizer.decode(indices)).toEqual(expected);
  });

  test.each([
    [[1, 2, 3], {}, /3 indices, expected a square number/],
    [[], {}, /0 indices/],
    [[1, 2, 3, 4, 5, 6], { width: 4 }, /6 indices, expected 4×\?/],
    [[1, 2, 3, 20], {}, /index 3 \(row 1, column 1\) is 20, expected an integer from 0 to 19/],
    [[1, -1, 3, 4], {}, /index 1 .* is -1/],
    [[1, 2, 0.5, 4], {}, /index 2 .* is 0\.5/],
    [[1, 2, NaN, 4], {}, /is NaN/],
  ])('refuses the indices %j with %j', async (indices, options, message) => {
    await expect(tokenizer.decode(indices, options)).rejects.toMatchObject({
      name: 'RudolphError',
      code: 'bad-input',
      message: expect.stringMatching(message) as string,
    });
  });

  test('refuses pictures whose sides are no multiples, and components that are not there', async () => {
    await expect(tokenizer.encode(picture(1, 7, 8))).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining('7×8') as string,
    });
    await expect(tokenizer.encode({ ...picture(1, 8, 8), width: 10 })).rejects.toMatchObject({ code: 'bad-input' });
    const other = await ImageTokenizer.create(gpu, { decoder: weights }, source.manifest);
    await expect(other.encode(picture(1, 8, 8))).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('image encoder') as string,
    });
    await expect(other.decode([1], { dwt: true })).rejects.toMatchObject({ code: 'unsupported' });
    other.dispose();
  });
});
