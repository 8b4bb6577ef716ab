import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { dispatchLimit } from '../../src/gpu/runner';
import { conv2d } from '../../src/model/vqgan/conv2d';
import { groupNorm } from '../../src/model/vqgan/groupNorm';
import { imageAttention } from '../../src/model/vqgan/imageAttention';
import { codebookArgmax, embedCodes, imagePatches, imagePlanes, inverseHaar } from '../../src/model/vqgan/pixels';
import { type Activation, ceil8, Recording, ScratchPool } from '../../src/model/vqgan/recording';
import { Weights } from '../../src/model/weights';
import { runAndRead } from '../support/arrays';
import { expectClose, randomArray } from '../support/compare';
import { openGpu } from '../support/gpu';
import { type CheckpointTensor, memoryModel, roundToHalf } from '../support/memoryModel';
import { testVariants } from '../support/variants';
import * as twin from '../twins/vqgan';

/** What runs on a GPU, and what adapters in software take, which is all that tests have: both are tested on every adapter. */
const cases = (await testVariants()).flatMap((set) => [true, false].map((tiled) => ({ ...set, tiled })));

describe.each(cases)('image tokenizer kernels, $name, tiled $tiled', ({ variants, tiled }) => {
  let gpu: Gpu;
  let arena: Arena;
  const loaded: Weights[] = [];
  beforeAll(async () => {
    gpu = await openGpu({ variants });
  });
  beforeEach(() => {
    arena = new Arena(gpu.device);
  });
  afterEach(() => {
    arena.dispose();
    for (const weights of loaded.splice(0)) weights.dispose();
  });
  afterAll(() => gpu.dispose());

  async function record(tensors: readonly CheckpointTensor[]): Promise<Recording> {
    const weights = await Weights.load(gpu.device, memoryModel('imageDecoder', tensors), ['imageDecoder']);
    loaded.push(weights);
    return new Recording(gpu, new ScratchPool(arena), weights, '', tiled);
  }

  /** Planes → the kernels' (height, width, stride); the padding holds zeros as kernels leave it. */
  function upload(x: twin.Planes): Activation {
    const stride = ceil8(x.channels);
    const rows = new Float32Array(x.height * x.width * stride);
    for (let p = 0; p < x.height * x.width; p++) {
      for (let c = 0; c < x.channels; c++) rows[p * stride + c] = x.data[c * x.height * x.width + p]!;
    }
    return { buffer: arena.upload('x', rows), width: x.width, height: x.height, channels: x.channels, stride };
  }

  /** Runs the recording and compares y with planes; the padding must be 0. */
  async function expectPlanes(
    recording: Recording,
    y: Activation,
    expected: twin.Planes,
    tolerance: number,
  ): Promise<void> {
    expect([y.channels, y.height, y.width]).toEqual([expected.channels, expected.height, expected.width]);
    const rows = await runAndRead(gpu, recording.dispatches, y.buffer, y.width * y.height * y.stride);
    const wanted = new Float64Array(rows.length);
    for (let p = 0; p < y.height * y.width; p++) {
      for (let c = 0; c < y.channels; c++) wanted[p * y.stride + c] = expected.data[c * y.height * y.width + p]!;
    }
    expectClose(rows, wanted, tolerance, `(pixel, ${y.stride} channels)`);
  }

  const random = (seed: number, channels: number, height: number, width: number) =>
    twin.planes(channels, height, width, randomArray(seed, channels * height * width));

  function convTensors(
    name: string,
    out: number,
    inputs: number,
    kernel: number,
    seed = 7,
  ): { conv: twin.Conv; tensors: CheckpointTensor[] } {
    const weight = roundToHalf(randomArray(seed, out * inputs * kernel * kernel));
    const bias = randomArray(seed + 1, out);
    return {
      conv: { weight, bias, out, kernel },
      tensors: [
        { name: `${name}.weight`, shape: [out, inputs, kernel, kernel], values: weight },
        { name: `${name}.bias`, shape: [out], values: bias },
      ],
    };
  }

  function normTensors(
    name: string,
    channels: number,
  ): { gain: Float32Array; bias: Float32Array; tensors: CheckpointTensor[] } {
    const gain = randomArray(11, channels);
    const bias = randomArray(12, channels);
    return {
      gain,
      bias,
      tensors: [
        { name: `${name}.weight`, shape: [channels], values: gain },
        { name: `${name}.bias`, shape: [channels], values: bias },
      ],
    };
  }

  // Widths that are and are not multiples of a tile; fewer outputs than eight; both tile sizes (the last one is 64 × 64).
  test.each([
    { inputs: 8, out: 3, size: [5, 7], kernel: 3 },
    { inputs: 32, out: 32, size: [8, 8], kernel: 3 },
    { inputs: 40, out: 33, size: [6, 3], kernel: 3 },
    { inputs: 24, out: 50, size: [9, 5], kernel: 1 },
    { inputs: 12, out: 6, size: [4, 4], kernel: 1 },
    { inputs: 32, out: 24, size: [6, 10], kernel: 3, resize: 'half' },
    { inputs: 32, out: 24, size: [7, 9], kernel: 3, resize: 'half' },
    { inputs: 16, out: 40, size: [3, 5], kernel: 3, resize: 'double' },
    { inputs: 8, out: 64, size: [95, 87], kernel: 3 },
  ] as const)(
    'conv2d $kernel×$kernel, $inputs → $out channels, $size, $resize',
    async ({ inputs, out, size, kernel, ...rest }) => {
      const resize = 'resize' in rest ? rest.resize : undefined;
      const x = random(1, inputs, size[0], size[1]);
      const { conv, tensors } = convTensors('c', out, inputs, kernel);
      const recording = await record(tensors);
      const y = await conv2d(recording, 'c', upload(x), resize ? { kernel, resize } : { kernel });
      // f32 sums of up to 360 products in −1…1 against f64.
      await expectPlanes(recording, y, twin.conv(x, conv, resize), 2e-5);
    },
  );

  test('conv2d adds to what is there', async () => {
    const x = random(1, 16, 5, 6);
    const residual = random(2, 20, 5, 6);
    const { conv, tensors } = convTensors('c', 20, 16, 3);
    const recording = await record(tensors);
    const y = upload(residual);
    await conv2d(recording, 'c', upload(x), { kernel: 3, onto: y });
    await expectPlanes(recording, y, twin.add(residual, twin.conv(x, conv)), 2e-5);
  });

  test('conv2d splits work that would block the GPU for long', async () => {
    const x: Activation = {
      ...upload(random(1, 64, 1, 1)),
      width: 256,
      height: 256,
      buffer: arena.buffer('large', 256 * 256 * 64 * 4),
    };
    const { tensors } = convTensors('c', 64, 64, 3);
    const recording = await record(tensors);
    await conv2d(recording, 'c', x, { kernel: 3 });
    const [limit, total] = [dispatchLimit(gpu.adapter), 256 * 256 * 64 * 64 * 9];
    // Whole tiles of pixels: one more than an even split would take, at most.
    expect(recording.dispatches.length).toBeGreaterThanOrEqual(Math.ceil(total / limit));
    expect(recording.dispatches.length).toBeLessThanOrEqual(Math.ceil(total / limit) + 1);
    for (const dispatch of recording.dispatches) expect(dispatch.work).toBeLessThanOrEqual(limit);
    expect(recording.dispatches.reduce((sum, dispatch) => sum + dispatch.work, 0)).toBe(total);
  });

  test('conv2d refuses a weight of another width', async () => {
    const recording = await record(convTensors('c', 8, 16, 3).tensors);
    await expect(conv2d(recording, 'c', upload(random(1, 24, 4, 4)), { kernel: 3 })).rejects.toThrow(
      /c\.weight is f16 \[8, 3, 3, 16\].*x has 24 channels/,
    );
  });

  // One channel a group, several, a last chunk of pixels that is not full; a mean far from 0, where E[x²] − E[x]² fails.
  test.each([
    { channels: 32, size: [8, 8], mean: 0, swish: true },
    { channels: 96, size: [9, 15], mean: 0, swish: false },
    { channels: 64, size: [16, 16], mean: 300, swish: true },
  ] as const)('group norm of $channels channels, $size, mean $mean', async ({ channels, size, mean, swish }) => {
    const x = random(3, channels, size[0], size[1]);
    x.data.forEach((value, i) => (x.data[i] = Math.fround(value + mean)));
    const { gain, bias, tensors } = normTensors('n', channels);
    const recording = await record(tensors);
    const y = await groupNorm(recording, 'n', upload(x), { swish });
    await expectPlanes(recording, y, twin.groupNorm(x, gain, bias, swish), mean ? 2e-4 : 5e-6);
  });

  // 25 tokens: rows of scores that are no multiple of 8.
  test.each([
    { channels: 32, size: [4, 4] },
    { channels: 64, size: [5, 5] },
    { channels: 32, size: [12, 13] },
  ] as const)('attention over $size tokens of $channels channels', async ({ channels, size }) => {
    const x = random(4, channels, size[0], size[1]);
    const norm = normTensors('a.norm', channels);
    const [q, k, v, out] = ['q', 'k', 'v', 'proj_out'].map((name, i) =>
      convTensors(`a.${name}`, channels, channels, 1, 20 + 2 * i),
    );
    const recording = await record([...norm.tensors, ...q!.tensors, ...k!.tensors, ...v!.tensors, ...out!.tensors]);
    const y = await imageAttention(recording, 'a', upload(x));
    const normed = twin.groupNorm(x, norm.gain, norm.bias, false);
    const attended = twin.attend(twin.conv(normed, q!.conv), twin.conv(normed, k!.conv), twin.conv(normed, v!.conv));
    await expectPlanes(recording, y, twin.add(x, twin.conv(attended, out!.conv)), 1e-4);
  });

  test('image patches give the first convolution', async () => {
    const image = randomArray(5, 3 * 6 * 10).map((value) => (value + 1) / 2);
    const { conv, tensors } = convTensors('c', 32, 3, 3);
    const recording = await record(tensors);
    const patches = await imagePatches(recording, arena.upload('image', image), 10, 6, 3);
    const y = await conv2d(recording, 'c', patches, { kernel: 1 });
    await expectPlanes(
      recording,
      y,
      twin.conv(
        twin.planes(
          3,
          6,
          10,
          image.map((value) => 2 * value - 1),
        ),
        conv,
      ),
      5e-6,
    );
  });

  test('inverse Haar and image planes', async () => {
    const x = random(6, 12, 3, 5);
    const recording = await record([]);
    const activation = upload(x);
    const doubled = arena.buffer('doubled', 3 * 6 * 10 * 4);
    const plain = arena.buffer('plain', 12 * 3 * 5 * 4);
    await inverseHaar(recording, activation, doubled);
    await imagePlanes(recording, activation, plain);
    expectClose(
      await runAndRead(gpu, recording.dispatches, doubled, 180),
      twin.clampToUnit(twin.inverseHaar(x)).data,
      1e-6,
      'inverse Haar',
    );
    expectClose(await runAndRead(gpu, [], plain, 180), twin.clampToUnit(x).data, 1e-6, 'planes');
  });

  test('codes → vectors', async () => {
    const table = roundToHalf(randomArray(8, 100 * 12));
    const recording = await record([{ name: 'quantize.embed.weight', shape: [100, 12], values: table }]);
    const codes = Uint32Array.from([0, 99, 7, 50, 98, 1]);
    const y = await embedCodes(recording, arena.upload('codes', codes), 3, 2, 12);
    const expected = twin.planes(
      12,
      2,
      3,
      Array.from({ length: 72 }, (_, i) => table[codes[i % 6]! * 12 + Math.floor(i / 6)]!),
    );
    await expectPlanes(recording, y, expected, 0);
  });

  test('argmax takes the lowest of equals, wherever they lie', async () => {
    const recording = await record([]);
    const x = random(9, 130, 3, 4);
    const pixels = 12;
    const put = (p: number, ...codes: number[]) => codes.forEach((c) => (x.data[c * pixels + p] = 5));
    put(0, 129, 65, 1); // the same thread of 64 meets 65 and 1
    put(1, 64, 63);
    put(2, 127, 128);
    put(3, 0, 129);
    for (let c = 0; c < 130; c++) x.data[c * pixels + 4] = -1e30;
    const codes = arena.buffer('codes', pixels * 4);
    await codebookArgmax(recording, upload(x), codes);
    const bits = await runAndRead(gpu, recording.dispatches, codes, pixels);
    const found = Array.from(new Uint32Array(bits.buffer));
    expect(found).toEqual(twin.argmax(x));
    expect(found.slice(0, 5)).toEqual([1, 63, 127, 0, 0]);
  });
});
