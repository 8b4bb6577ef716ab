import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { createStore } from 'idb-keyval';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Manifest } from '../../src/format/manifest';
import { type Databases, shardKeys } from '../../src/store/databases';
import { openModel } from '../../src/store/openModel';
import { convertTiny } from '../convert/tiny';

/*
 * Real converted shards, a stubbed fetch and stubbed Web Locks (Node 20 has none): what several tabs and a new version of a
 * model do to the storage that they share.
 */
const FOLDER = 'https://models.example/tiny/';

let manifest: Manifest;
let files: Map<string, Uint8Array>;
let asked: string[];
let databases: Databases;

beforeAll(async () => {
  ({ manifest, files } = await convertTiny());
});

beforeEach(() => {
  asked = [];
  vi.stubGlobal('indexedDB', new IDBFactory());
  vi.stubGlobal('IDBKeyRange', IDBKeyRange);
  databases = { shards: createStore('shards', 'shards'), manifests: createStore('manifests', 'manifests') };
  vi.stubGlobal('navigator', { locks: fakeLocks() });
  vi.stubGlobal('fetch', async (url: string) => {
    const name = url.slice(FOLDER.length);
    asked.push(name);
    await new Promise((resolve) => setTimeout(resolve, 5)); // long enough for the other tab to ask, too
    const bytes = files.get(name);
    return bytes ? new Response(new Uint8Array(bytes)) : new Response('gone', { status: 404 });
  });
});
afterEach(() => vi.unstubAllGlobals());

const shards = (of = manifest) => Object.values(of.components).flatMap((component) => component.shards);

/** One tab's load of the whole model. */
async function load(): Promise<void> {
  const source = await openModel(FOLDER, { databases, backOff: [] });
  source.expect(Object.keys(source.manifest.components) as (keyof Manifest['components'])[]);
  for (const shard of shards(source.manifest)) {
    const bytes = await source.shard(shard);
    expect(bytes.byteLength).toBe(shard.byteLength);
  }
}

it('two tabs share one download', async () => {
  await Promise.all([load(), load()]);
  const counts = shards().map(({ file }) => asked.filter((name) => name === file).length);
  expect(counts).toEqual(shards().map(() => 1));
});

it('without a network the second load asks for nothing that it needs', async () => {
  await load();
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(`offline ${url.slice(FOLDER.length)}`);
    throw new TypeError('Failed to fetch');
  });
  await load();
  expect(asked.filter((name) => name.startsWith('offline'))).toEqual(['offline rudolph.json']);
});

it('a new version of a model removes what only the old one used', async () => {
  await load();
  const { imageDecoder: _, ...components } = manifest.components;
  const tensors = manifest.tensors.filter(({ component }) => component !== 'imageDecoder');
  const changed = { ...manifest, components, tensors };
  const text = files.get('rudolph.json')!;
  files.set('rudolph.json', new TextEncoder().encode(JSON.stringify(changed)));
  try {
    await load();
  } finally {
    files.set('rudolph.json', text);
  }
  expect(await shardKeys(databases)).toEqual(new Set(shards(changed as Manifest).map(({ sha256 }) => sha256)));
});

/** Exclusive locks by name, first come, first served. */
function fakeLocks() {
  const tails = new Map<string, Promise<unknown>>();
  return {
    request: (name: string, _options: unknown, callback: () => Promise<unknown>) => {
      const turn = (tails.get(name) ?? Promise.resolve()).then(callback);
      tails.set(
        name,
        turn.catch(() => undefined),
      );
      return turn;
    },
  };
}
