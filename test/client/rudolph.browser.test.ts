import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../src/format/byteSource';
import { readSafetensorsIndex } from '../../src/format/safetensors';
import {
  deleteModel,
  listModels,
  type LoadProgress,
  Rudolph,
  RudolphError,
  toBlob,
  toImageData,
} from '../../src/index';

const URL_OF_MODEL = '/node_modules/.cache/tiny-a-web/';
const FIXTURES = '/test/fixtures/tiny-a';

interface GreedyCase {
  readonly task: string;
  readonly text?: string;
  readonly codebook?: string;
  readonly image?: string;
  readonly texts?: readonly string[];
}

let rudolph: Rudolph;
const progress: LoadProgress[] = [];

beforeAll(async () => {
  await deleteModel(URL_OF_MODEL);
  rudolph = await Rudolph.load(URL_OF_MODEL, { onProgress: (event) => progress.push(event) });
});
afterAll(() => rudolph?.dispose());

/** Integers of the reference. */
async function reference(name: string): Promise<number[]> {
  const bytes = new Uint8Array(await (await fetch(`${FIXTURES}/cases.safetensors`)).arrayBuffer());
  const entry = (await readSafetensorsIndex(memorySource(bytes), 'cases')).get(name)!;
  expect(entry.dtype).toBe('I32');
  return Array.from(new Int32Array(bytes.slice(entry.start, entry.end).buffer));
}

async function greedyCase(task: string): Promise<GreedyCase> {
  const { greedy } = (await (await fetch(`${FIXTURES}/cases.json`)).json()) as { greedy: GreedyCase[] };
  return greedy.find((item) => item.task === task)!;
}

describe('Rudolph.load', () => {
  it('reports the stages in order, from the network the first time', () => {
    const stages = progress.map(({ stage }) => stage);
    expect(stages.filter((stage, i) => stage !== stages[i - 1])).toEqual(['manifest', 'download', 'compile']);
    expect(progress.at(-1)).toMatchObject({ fromCache: false });
    expect(progress.at(-1)!.loadedBytes).toBe(progress.at(-1)!.totalBytes);
    const loaded = progress.map(({ loadedBytes }) => loadedBytes);
    expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
  });

  it('says before anything is fetched how much that will be, and how much room there is', () => {
    const planned = progress.findIndex(({ plan }) => plan);
    const { loadedBytes, totalBytes, plan } = progress[planned]!;
    expect(progress.slice(0, planned).every((event) => event.stage === 'manifest')).toBe(true);
    expect(loadedBytes).toBe(0);
    expect(plan).toMatchObject({ totalBytes, storedBytes: 0, keeps: true });
    expect(plan!.modelBytes).toBeGreaterThan(totalBytes); // with the image encoder
    expect(plan!.freeBytes).toBeGreaterThan(plan!.modelBytes);
  });

  it('describes the model and the adapter', () => {
    expect(rudolph.info.adapter.software).toBe(true); // browser tests run on SwiftShader
    expect(rudolph.info.model).toMatchObject({ config: { imageSide: 4 } });
    expect(rudolph.info.model.url).toBe(new URL(`${URL_OF_MODEL}rudolph.json`, location.href).href);
    expect(rudolph.info.model.components.imageEncoder).toBeGreaterThan(0);
  });

  it('takes the model from storage the second time', async () => {
    const events: LoadProgress[] = [];
    const again = await Rudolph.load(`${URL_OF_MODEL}rudolph.json`, { onProgress: (event) => events.push(event) });
    again.dispose();
    expect(events.at(-1)).toMatchObject({ fromCache: true });
    const stored = await listModels();
    expect(stored.map(({ url }) => url)).toContain(rudolph.info.model.url);
    expect(stored[0]!.storedBytes).toBeGreaterThan(0);
  });

  it('says where a model is missing, with the code kept across the worker', async () => {
    const error = await Rudolph.load('/no/such/model/').then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RudolphError);
    expect((error as RudolphError).code).toBe('download');
    expect((error as RudolphError).message).toContain('/no/such/model/rudolph.json');
  });

  it('stops when told to', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const loading = Rudolph.load(URL_OF_MODEL, {
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(loading).rejects.toBe(reason);
  });
});

describe('textToImage', () => {
  it('draws greedily what upstream draws', async () => {
    const { text, codebook } = await greedyCase('text_to_image');
    const task = rudolph.textToImage(text!, { topK: 1, seed: 0 });
    const types = new Set<string>();
    for await (const event of task) {
      types.add(event.type);
      if (event.type === 'picture') expect(event.image.data).toBeInstanceOf(Uint8ClampedArray);
    }
    expect(types).toContain('progress');
    expect(types).toContain('picture');
    const { codebooks, images } = await task;
    expect(codebooks[0]).toEqual(await reference(codebook!));
    const image = images[0]!;
    expect(image.data.length).toBe(image.width * image.height * 4);
    expect(toImageData(image).width).toBe(image.width);

    const bitmap = await createImageBitmap(await toBlob(image));
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')!;
    context.drawImage(bitmap, 0, 0);
    expect(context.getImageData(0, 0, image.width, image.height).data).toEqual(image.data);
  });

  it('settles at once when the loop is left, and the next task works', async () => {
    const task = rudolph.textToImage('красный круг', { count: 2 });
    // oxlint-disable-next-line no-unreachable-loop -- that is what is tested
    for await (const _ of task) break;
    await expect(task).rejects.toMatchObject({ name: 'AbortError' });
    const { images } = await rudolph.textToImage('красный круг', { seed: 3 });
    expect(images).toHaveLength(1);
  });

  it('ends a task that waits for its turn, not the one before it', async () => {
    const first = rudolph.textToImage('красный круг', { seed: 1 });
    const controller = new AbortController();
    const second = rudolph.textToImage('кот', { signal: controller.signal });
    controller.abort();
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    expect((await first).seed).toBe(1);
  });

  it('rejects with a typed error', async () => {
    const refused = { name: 'RudolphError', code: 'bad-input' };
    await expect(rudolph.textToImage('  ')).rejects.toMatchObject(refused);
    const picture = { width: 1, height: 1, data: new Uint8ClampedArray(4) };
    await expect(rudolph.inpaint(picture, 'кот')).rejects.toMatchObject(refused);
    await expect(rudolph.inpaint(picture, 'кот', { borders: null as never })).rejects.toMatchObject(refused);
    await expect(rudolph.rankImages('кот', undefined as never)).rejects.toMatchObject(refused);
    await expect(rudolph.rankImages('кот', 5 as never)).rejects.toMatchObject(refused);
    await expect(rudolph.perplexity(undefined as never)).rejects.toMatchObject(refused);
  });
});

describe('caption', () => {
  it('describes greedily as upstream does, from a file', async () => {
    const { image, texts: expected } = await greedyCase('caption');
    const blob = await (await fetch(`${FIXTURES}/${image}`)).blob();
    const { texts, counts } = await rudolph.caption(blob, { topK: 1, seed: 0, count: 2 });
    expect(texts).toEqual(expected);
    expect(counts).toEqual([2]);
  });

  it('takes pixels without taking them away', async () => {
    const data = new Uint8ClampedArray(40 * 30 * 4).fill(200);
    const { texts } = await rudolph.caption({ width: 40, height: 30, data }, { seed: 1 });
    expect(texts).toHaveLength(1);
    expect(data.length).toBe(40 * 30 * 4);
  });

  it('says that a file is no picture', async () => {
    const file = new File(['<html>'], 'cat.png', { type: 'image/png' });
    await expect(rudolph.caption(file)).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining('cat.png'),
    });
  });
});

describe('a worker that fails', () => {
  const Real = globalThis.Worker;
  /** Starts another script in the worker's place. */
  function startInstead(script: string): void {
    globalThis.Worker = class extends Real {
      constructor() {
        super(script, { type: 'module' });
      }
    };
  }
  afterEach(() => {
    globalThis.Worker = Real;
  });

  it('says that its script did not load', async () => {
    startInstead('/no/such/worker.js');
    await expect(Rudolph.load(URL_OF_MODEL)).rejects.toMatchObject({ name: 'RudolphError', code: 'worker' });
  });

  const blobUrl = (code: string): string => URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));

  it('passes on what it died of', async () => {
    startInstead(blobUrl('setTimeout(() => { throw new Error("out of luck") }, 50)'));
    await expect(Rudolph.load(URL_OF_MODEL)).rejects.toMatchObject({
      code: 'worker',
      message: expect.stringContaining('out of luck'),
    });
  });

  it('is noticed even when it dies without a word', async () => {
    const real = new URL('/src/worker/worker.ts?worker_file&type=module', location.href).href;
    startInstead(blobUrl(`import ${JSON.stringify(real)}; setTimeout(() => close(), 300)`));
    await expect(Rudolph.load(URL_OF_MODEL)).rejects.toMatchObject({
      code: 'worker',
      message: expect.stringContaining('ended the worker'),
    });
  });
});

describe('dispose', () => {
  it('rejects what still runs, and every later call', async () => {
    const other = await Rudolph.load(URL_OF_MODEL);
    const task = other.textToImage('кот');
    setTimeout(() => other.dispose(), 20);
    await expect(task).rejects.toMatchObject({ name: 'AbortError', message: expect.stringContaining('disposed of') });
    await expect(other.textToImage('кот')).rejects.toThrow('disposed of');
  });
});
