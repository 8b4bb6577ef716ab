// oxlint-disable-next-line import/no-unassigned-import -- it defines IDBKeyRange and the like
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ComponentName } from '../../src/format/manifest';
import type { Notice } from '../../src/notice';
import {
  type Databases,
  manifestEntries,
  removeShard,
  shardKeys,
  type StoredManifest,
  writeManifest,
  writePart,
} from '../../src/store/databases';
import { openModel } from '../../src/store/openModel';
import { openStore } from '../../src/store/openStore';
import type { DownloadPlan } from '../../src/store/storedModel';
import { deleteModel, listModels } from '../../src/store/storedModels';
import { Host } from '../faults/host';
import { type WebModel, webModel } from '../support/webModel';

/*
 * What is stored when models change, go and come back. Each rule once; how they hold when everything fails is the fault suite's.
 */
let host: Host;
let old: WebModel;
let renewed: WebModel;
let databases: Databases;
let notices: Notice[];
let plans: DownloadPlan[];

beforeAll(async () => {
  host = await Host.start();
  const shard = (seed: number): Uint8Array<ArrayBuffer> =>
    Uint8Array.from({ length: 20_000 }, (_, i) => (i * 5 + seed * 31 + (i >> 7)) & 255);
  const common = { tokenizer: [shard(1)], imageEncoder: [shard(2)] };
  old = await webModel('model', { ...common, transformer: [shard(3), shard(4)] });
  renewed = await webModel('model', { ...common, transformer: [shard(3), shard(5), shard(6)] });
});
beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory());
  databases = {
    shards: openStore('rudolph-shards', 'shards'),
    manifests: openStore('rudolph-manifests', 'manifests'),
  };
  notices = [];
  plans = [];
  host.serve('model', old.files);
});
afterEach(() => {
  vi.unstubAllGlobals();
  host.reset();
});
afterAll(() => host.stop());

const url = (): string => `${host.url}model/`;
const setRoom = (quota: number): void =>
  void vi.stubGlobal('navigator', { storage: { estimate: async () => ({ usage: 0, quota }) } });
const hashesOf = (model: WebModel): Set<string> =>
  new Set([...model.files.keys()].filter((name) => name.endsWith('.bin')).map((name) => name.slice(0, -4)));
const codes = (): string[] => notices.map(({ code }) => code);

/** Reads components, all by default; returns the shards that were read. */
async function load(components?: readonly ComponentName[], most = Infinity): Promise<Set<string>> {
  const source = await openModel(url(), {
    databases,
    backOff: [],
    onNotice: (notice) => notices.push(notice),
    onProgress: ({ plan }) => plan && plans.push(plan),
  });
  const wanted = components ?? (Object.keys(source.manifest.components) as ComponentName[]);
  source.expect(wanted);
  const shards = wanted.flatMap((name) => source.manifest.components[name]!.shards).slice(0, most);
  for (const shard of shards) await source.shard(shard);
  return new Set(shards.map(({ sha256 }) => sha256));
}

describe('before anything is fetched', () => {
  it('the plan says what is fetched, what is here, and how much room there is', async () => {
    setRoom(1e9);
    await load(['tokenizer']);
    await load(['tokenizer', 'transformer']);
    const common = { modelBytes: 80_000, freeBytes: 1e9, keeps: true };
    expect(plans).toEqual([
      { ...common, totalBytes: 20_000, storedBytes: 0 },
      { ...common, totalBytes: 60_000, storedBytes: 20_000 },
    ]);
  });

  it('a model without room is told of, with what to free, and runs without being kept', async () => {
    setRoom(50_000);
    expect(await load()).toEqual(hashesOf(old));
    expect(notices).toMatchObject([
      {
        code: 'storage-full',
        message: expect.stringMatching(/needs 1 MB .* Free 1 MB/),
        details: { neededBytes: 80_000, freeBytes: 50_000, missingBytes: 30_000 },
      },
    ]);
    expect(plans[0]).toMatchObject({ keeps: false, freeBytes: 50_000 });
    expect((await shardKeys(databases)).size).toBe(0);
  });

  it('a browser that does not say its room is no obstacle', async () => {
    vi.stubGlobal('navigator', { storage: { estimate: () => Promise.reject(new TypeError('an opaque origin')) } });
    await load();
    expect(plans[0]).toMatchObject({ keeps: true, freeBytes: null });
    expect(await shardKeys(databases)).toEqual(hashesOf(old));
  });
});

describe('a new version', () => {
  it('lies beside the old one until it is whole', async () => {
    await load();
    host.serve('model', renewed.files);
    await load(undefined, 4);
    const here = await shardKeys(databases);
    expect([...hashesOf(old)].filter((hash) => !here.has(hash))).toEqual([]);
    expect(await load()).toEqual(hashesOf(renewed));
    expect(await shardKeys(databases)).toEqual(hashesOf(renewed));
    expect(notices).toEqual([]);
  });

  it('that has not come completely gives way to the old one while the host cannot be reached', async () => {
    await load();
    host.serve('model', renewed.files);
    await load(undefined, 2);
    host.down = true;
    expect(await load()).toEqual(hashesOf(old));
    expect(codes()).toEqual(['older-version']);
    host.down = false;
    expect(await load()).toEqual(hashesOf(renewed));
  });

  it('that is not whole either gives way to the next one', async () => {
    await load();
    host.serve('model', renewed.files);
    await load(undefined, 3);
    host.serve('model', old.files);
    host.asked = [];
    expect(await load()).toEqual(hashesOf(old));
    // A shard of the newer one may still have been on its way.
    expect(host.asked.filter((path) => old.files.has(path.slice(6)))).toEqual(['model/rudolph.json']);
    expect(await shardKeys(databases)).toEqual(hashesOf(old));
  });

  it('takes the room of the old one where there is none beside it', async () => {
    await load();
    const missing = 40_000;
    // Of the old version 20,000 bytes are its own.
    setRoom(missing - 15_000 + 2 * renewed.files.get('rudolph.json')!.byteLength);
    host.serve('model', renewed.files);
    await load(undefined, 1);
    const here = await shardKeys(databases);
    expect([...hashesOf(old)].filter((hash) => !here.has(hash))).toHaveLength(1);
    expect(codes()).toEqual([]);
    setRoom(1e9);
    await load();
    expect(await shardKeys(databases)).toEqual(hashesOf(renewed));
  });

  it('without any room leaves the old one where it is', async () => {
    await load();
    setRoom(100);
    host.serve('model', renewed.files);
    expect(await load()).toEqual(hashesOf(renewed));
    expect(codes()).toEqual(['storage-full']);
    expect(await shardKeys(databases)).toEqual(hashesOf(old));
    host.down = true;
    expect(await load()).toEqual(hashesOf(old));
  });
});

describe('what the browser evicts', () => {
  it('between visits is noticed and fetched again', async () => {
    await load();
    const [first] = hashesOf(old);
    await removeShard(databases, first!);
    host.asked = [];
    await load();
    expect(notices).toMatchObject([{ code: 'storage-evicted', details: { evictedBytes: 20_000 } }]);
    expect(host.asked).toEqual(['model/rudolph.json', `model/${first}.bin`]);
  });

  it('is not what never was there', async () => {
    await load(['tokenizer']);
    await load();
    expect(notices).toEqual([]);
  });

  it('all at once is a first visit', async () => {
    await load();
    indexedDB.deleteDatabase('rudolph-shards');
    indexedDB.deleteDatabase('rudolph-manifests');
    await load();
    expect(notices).toEqual([]);
    expect(await shardKeys(databases)).toEqual(hashesOf(old));
  });
});

describe('a manifest that was damaged in storage', () => {
  const damage = async (): Promise<void> => {
    const [[address, stored]] = (await manifestEntries(databases)) as [[string, StoredManifest]];
    const text = stored.text.replace('"convKernel":3', '"convKernel":7');
    expect(text).not.toBe(stored.text);
    await writeManifest(databases, address, { ...stored, text });
  };

  it('is not used: the host has it', async () => {
    await load();
    await damage();
    host.asked = [];
    expect(await load()).toEqual(hashesOf(old));
    expect(host.asked).toEqual(['model/rudolph.json']);
  });

  it('is not used while the host cannot be reached either', async () => {
    await load();
    await damage();
    host.down = true;
    await expect(load()).rejects.toMatchObject({ code: 'download' });
  });
});

describe('what is deleted', () => {
  it('does not come back by a load that is under way', async () => {
    const source = await openModel(url(), { databases, onNotice: (notice) => notices.push(notice) });
    const [first, ...others] = Object.values(source.manifest.components).flatMap(({ shards }) => shards);
    await source.shard(first!);
    await deleteModel(url(), databases);
    for (const shard of others) await source.shard(shard);
    expect(codes()).toEqual(['storage-removed']);
    expect((await shardKeys(databases)).size).toBe(0);
    expect(await manifestEntries(databases)).toEqual([]);
  });

  it('takes the beginnings of shards and the old version with it', async () => {
    await load();
    host.serve('model', renewed.files);
    await load(undefined, 1);
    const hash = [...hashesOf(renewed)].find((other) => !hashesOf(old).has(other));
    await writePart(databases, hash!, 0, new ArrayBuffer(10));
    await deleteModel(url(), databases);
    const left = await databases.shards(
      'readonly',
      (store) =>
        new Promise((resolve) => {
          const request = store.count();
          request.onsuccess = () => resolve(request.result);
        }),
    );
    expect(left).toBe(0);
  });

  it('is also what no model names any more', async () => {
    await load();
    const [[address]] = (await manifestEntries(databases)) as [[string, unknown]];
    await databases.manifests('readwrite', async (store) => void store.delete(address));
    await listModels(databases);
    expect((await shardKeys(databases)).size).toBe(0);
  });
});

it('a storage that fails is a typed error of what manages it', async () => {
  const fail = (): Promise<never> => Promise.reject(new DOMException('out of luck', 'UnknownError'));
  const failing = { shards: fail, manifests: fail };
  const typed = { name: 'RudolphError', code: 'storage', message: expect.stringContaining('out of luck') };
  await expect(listModels(failing)).rejects.toMatchObject(typed);
  await expect(deleteModel(url(), failing)).rejects.toMatchObject(typed);
});
