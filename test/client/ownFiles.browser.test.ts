import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  deleteModel,
  inspectFiles,
  listModels,
  type LoadProgress,
  type ModelFile,
  modelFiles,
  Rudolph,
  RudolphError,
} from '../../src/index';

/*
 * A checkpoint and a converted folder, as a page gets them, in a real worker with a real IndexedDB.
 */
const FIXTURES = '/test/fixtures/tiny-a';
/** Made by the command line's converter from the same files. */
const WEB = '/node_modules/.cache/tiny-a-web';

interface WebManifest {
  readonly components: Record<string, { readonly shards: readonly { readonly file: string }[] }>;
}

let checkpoint: File[];
let web: WebManifest;
let mine: Rudolph | null = null;

beforeAll(async () => {
  const names = ['pytorch_model.bin', 'vqgan.ckpt', 'bpe.model', 'config.json'];
  checkpoint = await Promise.all(names.map(async (name) => new File([await blob(`${FIXTURES}/${name}`)], name)));
  web = (await (await fetch(`${WEB}/rudolph.json`)).json()) as WebManifest;
});
beforeEach(async () => {
  for (const { url } of await listModels()) await deleteModel(url);
});
afterAll(async () => {
  mine?.dispose();
  for (const { url } of await listModels()) await deleteModel(url);
});

async function blob(url: string): Promise<Blob> {
  return (await fetch(url)).blob();
}

const shardsOf = ({ components }: WebManifest): string[] =>
  Object.values(components)
    .flatMap(({ shards }) => shards.map(({ file }) => file.replace('.bin', '')))
    .sort();

/** The keys of the database of shards, read past the library. */
async function storedShards(): Promise<string[]> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('rudolph-shards');
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error!));
  });
  try {
    if (!database.objectStoreNames.contains('shards')) return [];
    return await new Promise((resolve, reject) => {
      const request = database.transaction('shards').objectStore('shards').getAllKeys();
      request.addEventListener('success', () => resolve((request.result as string[]).toSorted()));
      request.addEventListener('error', () => reject(request.error!));
    });
  } finally {
    database.close();
  }
}

it('a checkpoint is converted in the worker, draws, is listed, reopened without its files, and deleted', async () => {
  const progress: LoadProgress[] = [];
  const notices: string[] = [];
  const first = await Rudolph.load(checkpoint, {
    convert: { name: 'Мой RUDOLPH' },
    onProgress: (event) => progress.push(event),
    onNotice: ({ message }) => notices.push(message),
  });
  const { url } = first.info.model;
  const { codebooks } = await first.textToImage('красный круг', { seed: 3 });
  first.dispose();
  expect(url).toMatch(/^local:[0-9a-f]{32}$/);
  expect(await storedShards()).toEqual(shardsOf(web)); // named after their SHA-256: byte for byte the command line's
  const stages = progress.map(({ stage }) => stage);
  expect(stages.filter((stage, i) => stage !== stages[i - 1])).toEqual(['files', 'convert', 'download', 'compile']);
  expect(progress.findLast(({ stage }) => stage === 'convert')).toMatchObject({ loadedBytes: expect.any(Number) });
  expect(notices).toEqual(['only a software adapter: pictures are drawn without a live preview']);

  const [listed, ...others] = await listModels();
  expect(others).toEqual([]);
  expect(listed).toMatchObject({ url, name: 'Мой RUDOLPH', source: 'checkpoint' });
  expect(listed!.storedBytes).toBe(listed!.byteLength);
  expect(Math.abs(Date.now() - listed!.savedAt.getTime())).toBeLessThan(600_000);

  mine = await Rudolph.load(listed!.url);
  expect(mine.info.model.name).toBe('Мой RUDOLPH');
  expect((await mine.textToImage('красный круг', { seed: 3 })).codebooks).toEqual(codebooks);

  await deleteModel(url);
  expect(await listModels()).toEqual([]);
  expect(await storedShards()).toEqual([]);
  await expect(Rudolph.load(url)).rejects.toMatchObject({ name: 'RudolphError', code: 'bad-model' });
}, 180_000);

it('cancelled in the middle, it rejects at once and leaves nothing behind', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  let aborted = 0;
  const loading = Rudolph.load(checkpoint, {
    signal: controller.signal,
    onProgress: ({ stage, loadedBytes, totalBytes }) => {
      if (stage !== 'convert' || loadedBytes < totalBytes / 2 || aborted > 0) return;
      aborted = performance.now();
      controller.abort(reason);
    },
  });
  await expect(loading).rejects.toBe(reason);
  expect(performance.now() - aborted).toBeLessThan(1000);
  // The worker cleans up, or was ended after a second: then the list does.
  await expect.poll(async () => [await listModels(), await storedShards()], { timeout: 20_000 }).toEqual([[], []]);
});

it('a folder is stored and loaded; one that shall not be stored runs from its files', async () => {
  const names = ['rudolph.json', ...shardsOf(web).map((hash) => `${hash}.bin`)];
  const files: ModelFile[] = [];
  for (const name of names) files.push({ path: `tiny/${name}`, file: await blob(`${WEB}/${name}`) });
  const once = await Rudolph.load(files, { store: false });
  const { codebooks } = await once.textToImage('красный круг', { seed: 3 });
  once.dispose();
  expect(once.info.model.url).toBe('');
  expect(await storedShards()).toEqual([]);

  const report = await inspectFiles(files);
  expect(report).toMatchObject({ kind: 'folder', problem: null, missing: [] });
  const stored = await Rudolph.load(files);
  expect((await stored.textToImage('красный круг', { seed: 3 })).codebooks).toEqual(codebooks);
  stored.dispose();
  expect(await listModels()).toMatchObject([{ source: 'folder', byteLength: report.neededBytes }]);
}, 180_000);

it('files that make no model are refused with a typed error, and inspected without one', async () => {
  const error = await Rudolph.load(checkpoint.slice(0, 1)).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RudolphError);
  expect(error).toMatchObject({ code: 'bad-input', details: { missing: ['vqgan', 'tokenizer'] } });
  const report = await inspectFiles(checkpoint.slice(0, 1));
  expect(report).toMatchObject({ kind: 'checkpoint', missing: ['vqgan', 'tokenizer'], name: null });
  expect(report.problem).toBeInstanceOf(RudolphError);
  expect(report.problem!.message).toBe((error as Error).message);
  const whole = await inspectFiles(checkpoint);
  expect(whole).toMatchObject({ problem: null, missing: [], freeBytes: expect.any(Number) });
  expect(whole.neededBytes).toBeGreaterThan(1e6);
  expect(await storedShards()).toEqual([]);
});

it('files come from an input, a drop, and a folder of the file system', async () => {
  const drop = new DataTransfer();
  for (const file of checkpoint) drop.items.add(file);
  const names = checkpoint.map(({ name }) => name);
  const pathsOf = async (input: Parameters<typeof modelFiles>[0]): Promise<string[]> =>
    (await modelFiles(input)).map(({ path }) => path);
  expect(await pathsOf(drop.files)).toEqual(names);
  expect(await pathsOf(drop)).toEqual(names);
  expect(await pathsOf(drop.items)).toEqual(names);

  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle('my-model', { create: true });
  try {
    const inner = await folder.getDirectoryHandle('deeper', { create: true });
    await folder.getDirectoryHandle('.git', { create: true });
    const handles = [
      await folder.getFileHandle('a.bin', { create: true }),
      await inner.getFileHandle('b.bin', { create: true }),
    ];
    expect((await pathsOf(folder)).toSorted()).toEqual(['my-model/a.bin', 'my-model/deeper/b.bin']);
    expect(await pathsOf(handles)).toEqual(['a.bin', 'b.bin']);
  } finally {
    await root.removeEntry('my-model', { recursive: true });
  }
  await expect(modelFiles('models/' as never)).rejects.toMatchObject({ code: 'bad-input' });
  await expect(modelFiles({} as never)).rejects.toMatchObject({ code: 'bad-input' });
});
