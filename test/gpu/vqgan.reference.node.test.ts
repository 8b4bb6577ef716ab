import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReferenceTensor, readTensors } from '../../cli/parity/bundle';
import { readImage } from '../../cli/support/images';
import type { Gpu } from '../../src/gpu/device';
import { preprocess, preprocessRgba } from '../../src/image/preprocess';
import { ImageTokenizer } from '../../src/model/imageTokenizer';
import { Weights } from '../../src/model/weights';
import { convertTiny, FOLDER, fixture } from '../convert/tiny';
import { expectClose } from '../support/compare';
import { openGpu } from '../support/gpu';
import { testVariants } from '../support/variants';

/** Of the reference: f32 arithmetic on fp16 weights. */
const TOLERANCE = 2e-3;
const PICTURES = [0, 1, 2, 3];
const SIDE = 32;

// Against PyTorch running upstream's code; Node only, for the browser has no files (it runs the same kernels against their twins).
describe.each(await testVariants())('image tokenizer of tiny-a against upstream, $name', ({ variants }) => {
  let gpu: Gpu;
  let weights: Weights;
  let tokenizer: ImageTokenizer;
  let reference: Map<string, ReferenceTensor>;
  beforeAll(async () => {
    gpu = await openGpu({ variants });
    reference = await readTensors(`${FOLDER}/cases.safetensors`);
    const { manifest, files } = await convertTiny({ vqganDwt: fixture('vqgan_dwt.ckpt') });
    const source = { manifest, shard: async ({ file }: { file: string }) => files.get(file)!.slice().buffer };
    weights = await Weights.load(gpu.device, source, ['imageEncoder', 'imageDecoder', 'imageDecoderDwt']);
    tokenizer = await ImageTokenizer.create(gpu, weights, manifest);
  });
  afterAll(() => {
    tokenizer?.dispose();
    weights?.dispose();
    gpu.dispose();
  });

  const data = (name: string) => {
    const tensor = reference.get(name);
    if (!tensor) throw new Error(`the reference has no ${name}`);
    return tensor.data;
  };

  test.each(PICTURES)('image%i.png is cropped and resized to the very bytes', async (k) => {
    const image = preprocessRgba(await readImage(`${FOLDER}/image${k}.png`), SIDE);
    const planes = Array.from(
      { length: 3 * SIDE * SIDE },
      (_, i) => image.data[(i % (SIDE * SIDE)) * 4 + Math.floor(i / (SIDE * SIDE))],
    );
    expect(planes).toEqual(Array.from(data(`preprocess.${k}.pixels`)));
  });

  test.each(PICTURES)('image%i.png has the same logits and tokens', async (k) => {
    const { indices, logits } = await tokenizer.encode(preprocess(await readImage(`${FOLDER}/image${k}.png`), SIDE), {
      logits: true,
    });
    expectClose(logits!, data(`vqgan.encode.${k}.logits`), TOLERANCE, 'logits');
    expect(Array.from(indices)).toEqual(Array.from(data(`vqgan.encode.${k}.indices`)));
  });

  test.each([...PICTURES, 'random'])('the tokens of picture %s decode to the same picture', async (k) => {
    const indices = data(k === 'random' ? 'vqgan.decode.random.indices' : `vqgan.encode.${k}.indices`);
    expectClose((await tokenizer.decode(indices)).data, data(`vqgan.decode.${k}.image`), TOLERANCE, 'picture');
  });

  test.each(PICTURES)('the DWT decoder gives the same picture %i, twice as large', async (k) => {
    const image = await tokenizer.decode(data(`vqgan.encode.${k}.indices`), { dwt: true });
    expect([image.width, image.height]).toEqual([2 * SIDE, 2 * SIDE]);
    expectClose(image.data, data(`vqgan_dwt.decode.${k}.image`), TOLERANCE, 'picture');
  });
});
