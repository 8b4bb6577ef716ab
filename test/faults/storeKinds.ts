import { entries, set } from 'idb-keyval';
import { openFiles } from '../../src/files/openFiles';
import { storeFiles } from '../../src/files/storeFiles';
import { RudolphError } from '../../src/errors';
import type { ModelFile } from '../../src/format/modelFile';
import {
  readManifest,
  removeManifest,
  removeShard,
  shardBytes,
  shardKeys,
  writeManifest,
  writePart,
} from '../../src/store/databases';
import { deleteModel, listModels } from '../../src/store/storedModels';
import type { Random } from '../support/random';
import type { WebModel } from '../support/webModel';
import type { Fault } from './host';
import { type Loaded, MOST_FAULTS, PART_BYTES, SHARD_BYTES, type StoreWorld } from './storeWorld';
import type { Kind } from './suite';
import { KILLED, type Tab } from './tabs';

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A moment at which a load may be anywhere. */
const anyMoment = (random: Random): Promise<void> => pause(random.whole(0, 60));

/** A position in a file or an answer. */
const anywhere = (random: Random): number => random.whole(0, SHARD_BYTES - 1);

/** What goes away by itself. */
function passing(random: Random): Fault {
  const at = anywhere(random);
  return random.pick<Fault>([
    { type: 'status', status: random.pick([408, 429, 500, 502, 503, 504]) },
    { type: 'cut', at },
    { type: 'drop' },
  ]);
}

/** What no try outlasts, until somebody mends the host. */
function lasting(random: Random): Fault {
  return random.pick<Fault>([
    { type: 'status', status: random.pick([400, 401, 403, 404, 410, 451]) },
    { type: 'html', typed: random.chance(0.5) },
    { type: 'length', by: 4 * random.whole(1, 500), declared: random.chance(0.5) },
    { type: 'length', by: -4 * random.whole(1, 16), declared: true },
  ]);
}

/** Some of the shards' answers go wrong, each `count` times. */
function spoil(world: StoreWorld, fault: () => Fault, count: () => number): void {
  for (const path of world.random.some(world.shardPaths()))
    world.host.faults.set(path, Array.from({ length: count() }, fault));
}

/** Loads while something happens. */
async function meanwhile(world: StoreWorld, tab: Tab, happens: () => Promise<void>): Promise<Loaded> {
  const loading = world.load(tab);
  await anyMoment(world.random);
  await happens();
  return loading;
}

function expectError(world: StoreWorld, loaded: Loaded, codes: readonly string[]): void {
  const code = loaded.type === 'failed' && loaded.error instanceof RudolphError ? loaded.error.code : loaded.type;
  world.expect(codes.includes(code), `the load ended with ${code}, expected ${codes.join(' or ')}`);
}

/** Damages some of what is stored. */
async function damageStorage(world: StoreWorld): Promise<void> {
  const { random, databases } = world;
  world.damages = true;
  const stored = await entries<string, unknown>(databases.shards);
  for (const [key, value] of random.some(stored)) {
    const bytes = (await shardBytes(value)) as ArrayBuffer;
    const flipped = new Uint8Array(bytes.slice(0));
    flipped[random.whole(0, flipped.byteLength - 1)]! ^= 1 << random.whole(0, 7);
    const damaged = random.pick<() => unknown>([
      () => flipped.buffer,
      () => new Blob([flipped]),
      () => bytes.slice(0, random.whole(0, bytes.byteLength - 1)),
      () => new ArrayBuffer(bytes.byteLength + 4),
      () => flipped,
      () => 'no shard at all',
      () => null,
    ])();
    await set(key, damaged, databases.shards);
  }
}

async function evict(world: StoreWorld): Promise<void> {
  const { random, databases } = world;
  const databaseGone = (name: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.addEventListener('success', () => resolve());
      request.addEventListener('error', () => reject(request.error!));
      request.addEventListener('blocked', () =>
        world.report('broken', `a connection keeps ${name} from being deleted`),
      );
    });
  const what = random.pick(['shards', 'all shards', 'manifests', 'everything']);
  if (what === 'shards') {
    const keys = [...(await shardKeys(databases))];
    if (keys.length > 0) for (const key of random.some(keys)) await removeShard(databases, key);
    return;
  }
  if (what !== 'manifests') await databaseGone('rudolph-shards');
  if (what !== 'all shards') await databaseGone('rudolph-manifests');
}

function modelFilesOf({ files }: WebModel): ModelFile[] {
  return [...files].map(([name, bytes]) => ({ path: `mine/${name}`, file: new Blob([bytes]) }));
}

/** Brings somebody's own folder into storage. */
async function storeOwn(world: StoreWorld, tab: Tab, model: WebModel, signal?: AbortSignal): Promise<string | null> {
  try {
    const stored = await tab.run(async () => {
      const opened = await openFiles(modelFilesOf(model), {}, 'test');
      return storeFiles(opened, { databases: tab.databases, ...(signal ? { signal } : {}) });
    });
    return stored === KILLED ? null : stored;
  } catch (error) {
    const typed = error instanceof RudolphError || (signal?.aborted && error === signal.reason);
    if (!typed) world.report('broken', `an error without a type: ${(error as Error)?.stack ?? String(error)}`);
    return null;
  }
}

export const STORE_KINDS: readonly Kind<StoreWorld>[] = [
  {
    name: 'no fault',
    rounds: 20,
    async run(world) {
      const tab = world.tab();
      await world.mustLoad(tab);
      world.expect(tab.delivered === world.bytesOf(), `${tab.delivered} bytes came, not ${world.bytesOf()}`);
      world.expect(world.notices.length === 0, `a notice: ${world.notices[0]?.message}`);
    },
  },
  {
    name: 'killed at a byte',
    rounds: 250,
    async run(world) {
      const kills = world.random.whole(1, 4);
      let delivered = 0;
      for (let i = 0; i < kills; i++) {
        const tab = world.tab();
        tab.bytesLeft = world.random.whole(1, world.bytesOf());
        await world.load(tab);
        delivered += tab.delivered;
        await world.checkStorage();
      }
      const last = world.tab();
      await world.mustLoad(last);
      const again = delivered + last.delivered - world.bytesOf();
      world.expect(again <= kills * SHARD_BYTES, `${again} bytes were fetched again after ${kills} kills`);
    },
  },
  {
    name: 'killed at a write',
    rounds: 150,
    async run(world) {
      for (let i = world.random.whole(1, 3); i > 0; i--) {
        const tab = world.tab();
        tab.writesLeft = world.random.whole(0, 25);
        await world.load(tab);
        await world.checkStorage();
      }
    },
  },
  {
    name: 'flipped on the way',
    rounds: 100,
    async run(world) {
      const flips = world.random.whole(1, 3);
      spoil(
        world,
        () => ({ type: 'flip', at: anywhere(world.random) }),
        () => flips,
      );
      const loaded = await world.load(world.tab());
      if (flips === 1) world.expect(loaded.type === 'done', 'one flipped bit was too much');
      else if (loaded.type !== 'done') expectError(world, loaded, ['bad-model']);
    },
  },
  {
    name: 'flipped in storage',
    rounds: 100,
    async run(world) {
      await world.mustLoad();
      await damageStorage(world);
      await world.mustLoad();
      world.expect(
        world.notices.every(({ code }) => code === 'shard-damaged'),
        `another notice: ${world.notices.map(({ code, message }) => (code === 'shard-damaged' ? code : message)).join(', ')}`,
      );
      await world.checkStorage();
    },
  },
  {
    name: 'a damaged manifest in storage',
    rounds: 40,
    async run(world) {
      const { random, databases, host } = world;
      await world.mustLoad();
      if (random.chance(0.5)) {
        world.publish(random.pick(world.family.versions));
        const tab = world.tab();
        tab.bytesLeft = random.whole(1, SHARD_BYTES * 4);
        await world.load(tab);
      }
      const stored = (await readManifest(databases, world.url))!;
      const damaged = (text: string): string => {
        const at = random.whole(0, text.length - 1);
        return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
      };
      const { previous } = stored;
      const both = previous && random.chance(0.5) ? { previous: { ...previous, text: damaged(previous.text) } } : {};
      await writeManifest(databases, world.url, { ...stored, text: damaged(stored.text), ...both });
      host.down = random.chance(0.5);
      const loaded = await world.load(world.tab());
      const offline = host.down && (!previous || 'previous' in both);
      world.expect(loaded.type === (offline ? 'failed' : 'done'), `the load ${loaded.type}`);
      if (loaded.type !== 'done') return;
      const names = [...world.family.versions, world.model].map(({ manifest }) => JSON.stringify(manifest));
      if (!names.includes(JSON.stringify(loaded.manifest))) world.report('wrong', 'a damaged manifest was used');
    },
  },
  {
    name: 'a damaged beginning',
    rounds: 60,
    async run(world) {
      const { random, databases } = world;
      const tab = world.tab();
      tab.bytesLeft = random.whole(PART_BYTES, world.bytesOf());
      await world.load(tab);
      for (const [key, bytes] of await entries<string, ArrayBuffer>(databases.shards)) {
        if (!key.includes('+')) continue;
        const [hash = '', offset] = key.split('+');
        const garbage = random.bytes(random.pick([0, 1, bytes.byteLength, SHARD_BYTES * 2])).buffer;
        if (random.chance(0.7)) await writePart(databases, hash, Number(offset) + random.pick([0, 0, 1]), garbage);
      }
      await world.mustLoad();
    },
  },
  {
    name: 'wrong lengths',
    rounds: 80,
    async run(world) {
      const fault = (): Fault => ({
        type: 'length',
        by: 4 * world.random.pick([-100, -5, -1, 1, 5, 10_000]),
        declared: world.random.chance(0.5),
      });
      spoil(world, fault, () => 9);
      expectError(world, await world.load(world.tab()), ['bad-model', 'download']);
    },
  },
  {
    name: 'answers 4xx and 5xx',
    rounds: 100,
    async run(world) {
      const { random } = world;
      const status = random.pick([400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504]);
      const passes = status === 408 || status === 429 || status >= 500;
      const retryAfter = random.pick(['0', '3600', new Date(Date.now() - 5000).toUTCString(), 'soon', '']);
      spoil(
        world,
        () => ({ type: 'status', status, retryAfter }),
        () => random.whole(1, MOST_FAULTS),
      );
      const loaded = await world.load(world.tab());
      if (passes && retryAfter !== '3600') world.expect(loaded.type === 'done', `a passing ${status} was too much`);
      else expectError(world, loaded, ['download']);
    },
  },
  {
    name: 'HTML instead of files',
    rounds: 60,
    async run(world) {
      const path = world.random.chance(0.3) ? ['model/rudolph.json'] : world.random.some(world.shardPaths());
      for (const name of path) world.host.faults.set(name, [{ type: 'html', typed: world.random.chance(0.5) }]);
      expectError(world, await world.load(world.tab()), ['download', 'bad-model']);
    },
  },
  {
    name: 'cut connections',
    rounds: 80,
    async run(world) {
      spoil(
        world,
        () => passing(world.random),
        () => world.random.whole(1, MOST_FAULTS),
      );
      await world.mustLoad();
    },
  },
  {
    name: 'stalled connections',
    rounds: 40,
    async run(world) {
      for (const path of world.random.some(world.shardPaths()).slice(0, 3))
        world.host.faults.set(path, [{ type: 'stall', at: anywhere(world.random) }]);
      await world.mustLoad();
    },
  },
  {
    name: 'hosts without ranges',
    rounds: 60,
    async run(world) {
      const { random, host } = world;
      host.ranges = random.pick(['ignored', 'refused', 'dropped']);
      const tab = world.tab();
      tab.bytesLeft = random.whole(1, world.bytesOf());
      await world.load(tab);
      spoil(
        world,
        () => ({ type: 'cut', at: anywhere(random) }),
        () => random.whole(1, 2),
      );
      await world.mustLoad();
    },
  },
  {
    name: 'no room',
    rounds: 100,
    async run(world) {
      const { random, storage } = world;
      storage.left = random.whole(0, world.bytesOf());
      storage.told = random.chance(0.5);
      await world.mustLoad();
      world.expect(
        world.notices.some(({ code }) => code === 'storage-full'),
        `nobody was told that there is no room: ${world.notices.map(({ code, message }) => (code === 'shard-damaged' ? code : message)).join(', ')}`,
      );
      await world.checkStorage();
      await world.mustLoad(); // while there is none
    },
  },
  {
    name: 'storage that fails',
    rounds: 80,
    async run(world) {
      const { random, storage } = world;
      const error = random.pick(['UnknownError', 'InvalidStateError', 'AbortError', 'DataError', 'TimeoutError']);
      const failing = random.pick([0.05, 0.3, 1]);
      const onlyWrites = random.chance(0.3);
      storage.fail = (mode) =>
        random.chance(failing) && (!onlyWrites || mode === 'readwrite') ? new DOMException('no luck', error) : null;
      await world.mustLoad();
      await world.mustLoad();
    },
  },
  {
    name: 'evicted between visits',
    rounds: 80,
    async run(world) {
      await world.mustLoad();
      await evict(world);
      await world.mustLoad();
      await world.checkStorage();
    },
  },
  {
    name: 'evicted while loading',
    rounds: 80,
    async run(world) {
      if (world.random.chance(0.3)) await world.mustLoad();
      const loaded = await meanwhile(world, world.tab(), () => evict(world));
      world.expect(loaded.type === 'done', 'the load did not outlast it');
    },
  },
  {
    name: 'deleted while loading',
    rounds: 100,
    async run(world) {
      const { random } = world;
      if (random.chance(0.3)) await world.mustLoad();
      if (random.chance(0.4)) {
        world.publish(world.family.other, 'other');
        await world.mustLoad(world.tab(), { folder: 'other' });
      }
      const other = world.tab();
      const loaded = await meanwhile(world, world.tab(), async () => {
        await other.run(() => deleteModel(world.url, other.databases));
        if (random.chance(0.5)) await other.run(() => listModels(other.databases));
      });
      world.expect(loaded.type === 'done', 'the load did not outlast it');
      await world.checkNothingLeft();
      await other.run(() => deleteModel(world.url, other.databases));
      await other.run(() => deleteModel(world.urlOf('other'), other.databases));
      const left = await entries(world.databases.shards);
      world.expect(left.length === 0, `${left.length} shards are stored of models that were deleted`);
    },
  },
  {
    name: 'several tabs',
    rounds: 100,
    async run(world) {
      const { random } = world;
      const tabs = Array.from({ length: random.whole(2, 4) }, () => world.tab());
      const dies = random.chance(0.6);
      if (dies) tabs[0]!.bytesLeft = random.whole(1, world.bytesOf());
      const loaded = await Promise.all(
        tabs.map(async (tab, i) => {
          if (i > 0) await pause(random.whole(0, 20));
          return world.load(tab);
        }),
      );
      loaded.forEach(({ type }, i) => world.expect(type === 'done' || (dies && i === 0), `tab ${i}: ${type}`));
      const again = tabs.reduce((sum, { delivered }) => sum + delivered, 0) - world.bytesOf();
      world.expect(again <= (dies ? SHARD_BYTES : 0), `${again} bytes were fetched twice`);
    },
  },
  {
    name: 'new versions',
    rounds: 100,
    async run(world) {
      const { random, family, host } = world;
      world.publish(family.other, 'other');
      if (random.chance(0.5)) await world.mustLoad(world.tab(), { folder: 'other' });
      await world.mustLoad();
      let whole = world.model;
      for (let i = random.whole(1, 4); i > 0; i--) {
        world.publish(random.pick(family.versions));
        const tab = world.tab();
        if (random.chance(0.6)) tab.bytesLeft = random.whole(1, SHARD_BYTES * 4);
        if ((await world.load(tab)).type === 'done') whole = world.model;
        // Whatever came of the new version: one that is whole loads without its host.
        host.down = true;
        const offline = await world.load(world.tab());
        host.down = false;
        const name = offline.type === 'done' ? JSON.stringify(offline.manifest) : offline.type;
        const expected = [whole, world.model].map(({ manifest }) => JSON.stringify(manifest));
        world.expect(expected.includes(name), `without its host: ${name.slice(0, 80)}`);
      }
    },
  },
  {
    name: 'a new version without room',
    rounds: 60,
    async run(world) {
      const { random, family, host, storage } = world;
      world.publish(family.versions[0]!);
      await world.mustLoad();
      storage.left = random.whole(0, world.bytesOf(family.versions[1]!));
      world.publish(family.versions[1]!);
      await world.mustLoad();
      host.down = true;
      const offline = await world.load(world.tab());
      host.down = false;
      world.expect(offline.type === 'done', 'neither the old nor the new version loads without a host');
    },
  },
  {
    name: 'cancelled',
    rounds: 80,
    async run(world) {
      for (let i = world.random.whole(1, 4); i > 0; i--) {
        const controller = new AbortController();
        if (world.random.chance(0.3))
          spoil(
            world,
            () => ({ type: 'stall', at: anywhere(world.random) }),
            () => 1,
          );
        const loading = world.load(world.tab(), { signal: controller.signal });
        await anyMoment(world.random);
        controller.abort(new DOMException('enough', 'AbortError'));
        const started = performance.now();
        await loading;
        const took = performance.now() - started;
        world.expect(took < 200, `cancelling took ${Math.round(took)} ms`);
        world.host.faults.clear();
      }
    },
  },
  {
    name: 'own files',
    rounds: 80,
    async run(world) {
      const { random, family, storage } = world;
      if (random.chance(0.5)) await world.mustLoad();
      const tab = world.tab();
      const fault = random.pick(['killed', 'no room', 'cancelled', 'deleted beside', 'none']);
      if (fault === 'killed') tab.writesLeft = random.whole(0, 20);
      if (fault === 'no room') storage.left = random.whole(0, 60_000);
      storage.told = random.chance(0.5);
      const controller = new AbortController();
      world.publish(family.other, 'other'); // for its bytes to be known
      const storing = storeOwn(world, tab, family.other, controller.signal);
      await pause(random.whole(0, 20));
      if (fault === 'cancelled') controller.abort(new DOMException('enough', 'AbortError'));
      const beside = world.tab();
      if (fault === 'deleted beside') await beside.run(() => deleteModel(world.url, beside.databases));
      let url = await storing;
      storage.left = Infinity;
      await beside.run(() => listModels(beside.databases));
      await world.checkNothingLeft();
      if (random.chance(0.3)) {
        await evict(world);
        url = null;
      }
      url ??= await storeOwn(world, world.tab(), family.other);
      world.expect(url !== null, 'own files could not be stored');
      if (url) await world.mustLoad(world.tab(), { url });
      if (url) await beside.run(() => deleteModel(url, beside.databases));
    },
  },
  {
    name: 'all at once',
    rounds: 150,
    async run(world) {
      const { random, host, storage } = world;
      const loads: Promise<unknown>[] = [];
      for (let i = random.whole(2, 6); i > 0; i--) {
        const tab = world.tab();
        const controller = new AbortController();
        const what = random.whole(0, 11);
        if (what === 0) tab.bytesLeft = random.whole(1, world.bytesOf());
        if (what === 1) tab.writesLeft = random.whole(0, 20);
        if (what === 2)
          spoil(
            world,
            () => passing(random),
            () => random.whole(1, 9),
          );
        if (what === 3)
          spoil(
            world,
            () => lasting(random),
            () => random.whole(1, 9),
          );
        if (what === 4)
          spoil(
            world,
            () => ({ type: 'flip', at: anywhere(random) }),
            () => random.whole(1, 3),
          );
        if (what === 5) storage.left = random.whole(0, world.bytesOf());
        if (what === 6) await evict(world);
        if (what === 7) loads.push(tab.run(() => deleteModel(world.url, tab.databases)));
        if (what === 8) world.publish(random.pick(world.family.versions));
        if (what === 9) host.down = random.chance(0.5);
        if (what === 10) await removeManifest(world.databases, world.url);
        if (what === 11) host.ranges = random.pick(['answered', 'ignored', 'refused', 'dropped']);
        loads.push(world.load(tab, { signal: controller.signal }));
        await anyMoment(random);
        if (random.chance(0.1)) controller.abort(new DOMException('enough', 'AbortError'));
        if (random.chance(0.1)) storage.left = Infinity;
      }
      await Promise.all(loads);
    },
  },
];
