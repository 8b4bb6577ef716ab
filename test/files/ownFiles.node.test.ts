// oxlint-disable-next-line import/no-unassigned-import -- it defines indexedDB
import 'fake-indexeddb/auto';
import { createStore } from 'idb-keyval';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { version } from '../../package.json';
import { inspectFiles, openFiles } from '../../src/files/openFiles';
import { folderSource, storeFiles, type StoreFilesOptions, type StoreProgress } from '../../src/files/storeFiles';
import type { ConvertSettings } from '../../src/files/report';
import { type Manifest, MANIFEST_FILE } from '../../src/format/manifest';
import type { ModelFile } from '../../src/format/modelFile';
import { sha256 } from '../../src/format/sha256';
import { type Databases, manifestEntries, readManifest, shardKeys, removeShard } from '../../src/store/databases';
import { Intake, localAddress } from '../../src/store/localModel';
import { openModel } from '../../src/store/openModel';
import { deleteModel, listModels } from '../../src/store/storedModels';
import { equalBytes, FOLDER } from '../convert/tiny';
import { runCli } from '../support/cli';

/*
 * Somebody's own files, as a page hands them over, into a fake IndexedDB. What the command line makes of the same files is the
 * standard of comparison.
 */
const PRODUCER = `rudolph-web ${version}`;
const CHECKPOINT = ['pytorch_model.bin', 'vqgan.ckpt', 'bpe.model', 'config.json'];

let folder: string;
/** What the command line wrote, by name. */
const converted = new Map<string, Uint8Array<ArrayBuffer>>();
let databases: Databases;
let count = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rudolph-own-'));
  const out = join(folder, 'tiny');
  const inputs = ['--rudolph', '--vqgan', '--tokenizer', '--config'].flatMap((option, i) => [
    option,
    `${FOLDER}/${CHECKPOINT[i]}`,
  ]);
  const { code, stderr } = await runCli(['convert', ...inputs, '--preview', 'off', '--out', out]);
  if (code !== 0) throw new Error(stderr);
  for (const name of readdirSync(out)) converted.set(name, new Uint8Array(readFileSync(join(out, name))));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  count++;
  databases = {
    shards: createStore(`own-shards-${count}`, 'shards'),
    manifests: createStore(`own-manifests-${count}`, 'manifests'),
  };
});
afterEach(() => vi.unstubAllGlobals());

const file = (path: string, bytes: BlobPart): ModelFile => ({ path, file: new Blob([bytes]) });
const fixture = (name: string, path = name): ModelFile => file(path, new Uint8Array(readFileSync(`${FOLDER}/${name}`)));
const checkpoint = (): ModelFile[] => CHECKPOINT.map((name) => fixture(name));
const web = (): ModelFile[] => [...converted].map(([name, bytes]) => file(`models/tiny/${name}`, bytes));
const shardNames = (): string[] => [...converted.keys()].filter((name) => name !== MANIFEST_FILE).sort();
const inspect = (files: ModelFile[], settings: ConvertSettings = {}) =>
  inspectFiles(files, settings, PRODUCER, databases);
const problemOf = async (files: ModelFile[]): Promise<string> => (await inspect(files)).problem?.message ?? 'none';

async function store(files: ModelFile[], options: Partial<StoreFilesOptions> = {}): Promise<string> {
  return storeFiles(await openFiles(files, {}, PRODUCER), { databases, ...options });
}

async function expectNothingLeft(): Promise<void> {
  expect(await shardKeys(databases)).toEqual(new Set());
  expect(await manifestEntries(databases)).toEqual([]);
}

describe('which file is what', () => {
  it('is seen by what is inside, whatever the names', async () => {
    const files = [
      fixture('config.json', 'deep/folder/a.txt'),
      fixture('bpe.model', 'b'),
      fixture('vqgan.ckpt', 'c.bin'),
      fixture('pytorch_model.bin', '__proto__'),
      fixture('vqgan_dwt.ckpt', '../../constructor'),
      file('special.json', '{"<LT_UNK>": 400, "RT_UNK": 401}'),
      file('about.json', '{"name": "Мой RUDOLPH", "description": {"ru": "Умеет всё."}}'),
    ];
    const report = await inspect(files);
    expect(report).toMatchObject({ kind: 'checkpoint', name: 'Мой RUDOLPH', missing: [], unused: [], problem: null });
    expect(Object.fromEntries(report.used.map(({ path, role }) => [role, path]))).toEqual({
      config: 'deep/folder/a.txt',
      tokenizer: 'b',
      vqgan: 'c.bin',
      rudolph: '__proto__',
      vqganDwt: '../../constructor',
      specialTokens: 'special.json',
      metadata: 'about.json',
    });
  });

  it.each(['pytorch_model.fp16.bin', 'pytorch_model.legacy.bin'])('%s is a transformer, too', async (name) => {
    const report = await inspect([fixture(name), ...checkpoint().slice(1)]);
    expect(report).toMatchObject({ kind: 'checkpoint', problem: null });
  });

  it('says what is still needed, what was recognised and what is of no use', async () => {
    const report = await inspect([
      fixture('pytorch_model.bin'),
      file('README.md', '# RUDOLPH'),
      file('model.html', '<!doctype html><title>404</title>'),
      file('.DS_Store', 'x'),
      file('.git/lfs/objects/ab', new Uint8Array(readFileSync(`${FOLDER}/pytorch_model.bin`))),
    ]);
    expect(report).toMatchObject({
      kind: 'checkpoint',
      missing: ['vqgan', 'tokenizer'],
      name: null,
      neededBytes: null,
    });
    expect(report.unused.map(({ path }) => path)).toEqual(['README.md', 'model.html']);
    expect(report.problem).toMatchObject({ code: 'bad-input', details: { missing: ['vqgan', 'tokenizer'] } });
    expect(report.problem!.message).toBe(
      'the model is not complete: add the image tokenizer (e.g. vqgan.gumbelf8-sber.model.ckpt) and the text tokenizer (bpe.model). ' +
        'Recognised: pytorch_model.bin is the transformer. ' +
        `Not used: ${report.unused.map(({ why }) => why).join(', ')}`,
    );
    expect(report.problem!.message).toContain('model.html is an HTML page (a failed download?)');
  });

  it('with sizes of nobody’s ask for the file that tells them', async () => {
    const report = await inspect(['pytorch_model.bin', 'vqgan.ckpt', 'bpe.model'].map((name) => fixture(name)));
    expect(report).toMatchObject({ kind: 'checkpoint', missing: ['config'], name: null });
    expect(report.problem).toMatchObject({ code: 'bad-input', details: { missing: ['config'] } });
  });

  it('a download that broke off is named, not only missed', async () => {
    const half = file('pytorch_model.bin', new Uint8Array(readFileSync(`${FOLDER}/pytorch_model.bin`)).slice(0, 1e6));
    expect(await problemOf([half, ...checkpoint().slice(1)])).toMatch(
      /^the model is not complete: add the transformer .*Not used: pytorch_model\.bin: the zip is truncated/,
    );
  });

  it.each([
    [
      'two transformers',
      [fixture('pytorch_model.fp16.bin')],
      'pytorch_model.bin and pytorch_model.fp16.bin are both the transformer',
    ],
    ['another tokenizer', [], 'bpe.model has 6 ids, the model knows 400'],
  ])('%s', async (_, more, expected) => {
    const files = [...checkpoint(), ...more];
    if (more.length === 0) files[2] = file('bpe.model', '2 0\n97 4\n98 5\n1 0 2 3\n');
    expect(await problemOf(files)).toContain(expected);
  });

  it('nothing of the kind, or nothing at all', async () => {
    expect(await inspect([file('cat.png', 'PNG')])).toMatchObject({ kind: 'nothing', used: [] });
    expect(await problemOf([file('cat.png', 'PNG')])).toContain(
      'these files hold no model: expected a folder with rudolph.json',
    );
    expect(await problemOf([])).toBe('there are no files to open');
    expect(await problemOf([file('a/rudolph.json', '{}'), file('b/rudolph.json', '{}')])).toBe(
      'there are 2 models (a/rudolph.json, b/rudolph.json); choose the folder of one',
    );
  });

  it('settings that do not exist', async () => {
    const problem = async (settings: object) => (await inspect(checkpoint(), settings)).problem?.message;
    expect(await problem({ preset: 'constructor' })).toMatch(/^the preset is constructor, expected 350M_v1, 350M/);
    expect(await problem({ specialTokens: 'all' })).toBe('specialTokens is all, expected base or fbc2');
  });

  it('a file that can no longer be read', async () => {
    const files = checkpoint();
    const gone = { size: 100, slice: () => ({ arrayBuffer: () => Promise.reject(new Error('NotReadable')) }) };
    files[0] = { path: 'x/pytorch_model.bin', file: gone as unknown as Blob };
    expect(await problemOf(files)).toMatch(/^x\/pytorch_model\.bin cannot be read any more/);
  });
});

describe('a checkpoint', () => {
  it('is converted to the very bytes that the command line writes, and reopened without its files', async () => {
    const progress: StoreProgress[] = [];
    const { neededBytes } = await inspect(checkpoint());
    const url = await store(checkpoint(), { onProgress: (event) => progress.push(event) });
    const text = new TextDecoder().decode(converted.get(MANIFEST_FILE));
    expect(url).toBe(await localAddress(text));
    expect((await readManifest(databases, url))!.text).toBe(text);
    expect([...(await shardKeys(databases))].map((hash) => `${hash}.bin`).sort()).toEqual(shardNames());

    const source = await openModel(url, { databases });
    for (const shard of Object.values(source.manifest.components).flatMap(({ shards }) => shards)) {
      expect(equalBytes(new Uint8Array(await source.shard(shard)), converted.get(shard.file)!), shard.file).toBe(true);
    }
    const [listed] = await listModels(databases);
    expect(listed).toMatchObject({ url, name: 'RUDOLPH', source: 'checkpoint', savedAt: expect.any(Date) });
    expect(listed!.storedBytes).toBe(listed!.byteLength);
    expect(neededBytes).toBe(listed!.byteLength);
    const loaded = progress.map(({ loadedBytes }) => loadedBytes);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    expect(progress.at(-1)!.loadedBytes).toBe(progress.at(-1)!.totalBytes);

    await deleteModel(url, databases);
    await expectNothingLeft();
    await expect(openModel(url, { databases })).rejects.toMatchObject({
      code: 'bad-model',
      message: expect.stringContaining("is not in this browser's storage"),
    });
  });

  it('leaves nothing behind when it is cancelled in the middle', async () => {
    const controller = new AbortController();
    const reason = new DOMException('enough', 'AbortError');
    const storing = store(checkpoint(), {
      signal: controller.signal,
      onProgress: ({ loadedBytes, totalBytes }) => {
        if (loadedBytes > totalBytes / 2) controller.abort(reason);
      },
    });
    await expect(storing).rejects.toBe(reason);
    await expectNothingLeft();
  });

  it('is refused before anything is written when there is no room, with how much is missing', async () => {
    const needed = (await inspect(checkpoint())).neededBytes!;
    vi.stubGlobal('navigator', { storage: { estimate: async () => ({ quota: 5e6, usage: 4e6 }) } });
    await expect(store(checkpoint())).rejects.toMatchObject({
      code: 'storage',
      details: { full: true, neededBytes: needed, freeBytes: 1e6, missingBytes: needed - 1e6 },
    });
    expect(await inspect(checkpoint())).toMatchObject({ neededBytes: needed, freeBytes: 1e6, problem: null });
    await expectNothingLeft();
  });

  it('leaves nothing behind when the disk fills up meanwhile', async () => {
    let writes = 0;
    const full: Databases = {
      ...databases,
      shards: (mode, callback) =>
        mode === 'readwrite' && ++writes === 3
          ? Promise.reject(new DOMException('full', 'QuotaExceededError'))
          : databases.shards(mode, callback),
    };
    await expect(store(checkpoint(), { databases: full })).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringContaining("this browser's storage is full"),
      details: { full: true },
    });
    await expectNothingLeft();
  });

  it('a weight that is no number ends it, too', async () => {
    const bytes = new Uint8Array(readFileSync(`${FOLDER}/vqgan.ckpt`));
    bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 4096);
    const files = checkpoint();
    files[1] = file('vqgan.ckpt', bytes);
    await expect(store(files)).rejects.toMatchObject({
      code: 'bad-checkpoint',
      message: expect.stringContaining('vqgan.ckpt'),
    });
    await expectNothingLeft();
  });
});

describe('what a killed worker left', () => {
  it('is removed the next time, save for what other models use', async () => {
    const url = await store(web());
    const intake = await Intake.begin(databases, 1);
    const own = (await shardKeys(databases)).values().next().value!;
    await intake.put(own, new ArrayBuffer(8));
    await intake.put('ab'.repeat(32), new ArrayBuffer(8));
    const [key, entry] = (await manifestEntries(databases)).find(([name]) => name.startsWith('intake:'))!;
    expect(await listModels(databases)).toHaveLength(1);
    expect((await shardKeys(databases)).has('ab'.repeat(32))).toBe(true); // it is still under way

    await intake.discard();
    const { writeManifest, writeShard } = await import('../../src/store/databases');
    await writeManifest(databases, key, entry); // as if it had died
    await writeShard(databases, 'ab'.repeat(32), new ArrayBuffer(8));
    expect(await listModels(databases)).toMatchObject([
      { url, storedBytes: (await listModels(databases))[0]!.byteLength },
    ]);
    expect((await shardKeys(databases)).has('ab'.repeat(32))).toBe(false);
    expect(await manifestEntries(databases)).toHaveLength(1);
  });
});

describe("a converted model's folder", () => {
  it('is stored under the address that the same checkpoint gets, which shares its shards', async () => {
    const url = await store(web());
    expect((await listModels(databases)).map(({ source }) => source)).toEqual(['folder']);
    expect(await inspect(web())).toMatchObject({ kind: 'folder', name: 'RUDOLPH', neededBytes: 0, problem: null });
    expect(await store(checkpoint())).toBe(url);
    const other = {
      ...(JSON.parse(new TextDecoder().decode(converted.get(MANIFEST_FILE))) as Manifest),
      name: 'Other',
    };
    const files = web().map((item) => (item.path.endsWith('.json') ? file(item.path, JSON.stringify(other)) : item));
    const second = await store(files);
    expect(second).not.toBe(url);
    await deleteModel(url, databases);
    expect([...(await shardKeys(databases))].map((hash) => `${hash}.bin`).sort()).toEqual(shardNames());
    await deleteModel(second, databases);
    await expectNothingLeft();
  });

  it('names a shard that is missing, too short or damaged; nothing of it stays', async () => {
    const [name] = shardNames();
    const files = web();
    const at = files.findIndex(({ path }) => path.endsWith(name!));
    const bytes = converted.get(name!)!;
    expect(await problemOf(files.toSpliced(at, 1))).toMatch(
      new RegExp(`^1 of ${shardNames().length} shards of RUDOLPH are missing: models/tiny/${name}`),
    );
    expect(await problemOf(files.with(at, file(`models/tiny/${name}`, bytes.slice(4))))).toContain(
      `models/tiny/${name} is damaged: it has ${bytes.length - 4} bytes`,
    );
    await expect(
      store(
        files.with(
          at,
          file(
            `models/tiny/${name}`,
            bytes.map((byte) => byte ^ 1),
          ),
        ),
      ),
    ).rejects.toMatchObject({
      code: 'bad-model',
      message: expect.stringContaining(`models/tiny/${name} is damaged (SHA-256 differs)`),
    });
    await expectNothingLeft();
  });

  it('refuses file names that lead elsewhere, and prototype keys', async () => {
    const manifest = (change: (text: string) => string): ModelFile[] =>
      web().map((item) =>
        item.path.endsWith('.json')
          ? file(item.path, change(new TextDecoder().decode(converted.get(MANIFEST_FILE))))
          : item,
      );
    expect(await problemOf(manifest((text) => text.replace(/"file":"[^"]*"/, '"file":"../../x.bin"')))).toContain(
      'expected a plain file name',
    );
    expect(await problemOf(manifest((text) => text.replace('{', '{"__proto__":{"a":1},')))).toContain(
      'the key __proto__ is not allowed',
    );
    expect(await problemOf(manifest((text) => text.slice(0, -20)))).toContain('models/tiny/rudolph.json: is no JSON');
  });

  it('says when a stored shard got lost, and is whole again once its files were opened', async () => {
    const url = await store(web());
    const hash = shardNames()[0]!.slice(0, 64);
    await removeShard(databases, hash);
    const read = async (): Promise<string[]> => {
      const source = await openModel(url, { databases });
      const shards = Object.values(source.manifest.components).flatMap((component) => component.shards);
      return Promise.all(shards.map(async (shard) => sha256(await source.shard(shard))));
    };
    await expect(read()).rejects.toMatchObject({
      code: 'bad-model',
      message: expect.stringMatching(new RegExp(`${hash}.*open the model's files again`)),
    });
    expect((await inspect(web())).neededBytes).toBe(converted.get(`${hash}.bin`)!.length);
    expect(await store(web())).toBe(url);
    expect((await read()).map((name) => `${name}.bin`).sort()).toEqual(shardNames());
  });

  it('can be read from its files alone', async () => {
    const opened = await openFiles(web(), {}, PRODUCER);
    if (opened.kind !== 'folder') throw new Error(opened.kind);
    const source = folderSource(opened);
    const [shard] = source.manifest.components.transformer!.shards;
    expect(equalBytes(new Uint8Array(await source.shard(shard!)), converted.get(shard!.file)!)).toBe(true);
    await expectNothingLeft();
  });
});
