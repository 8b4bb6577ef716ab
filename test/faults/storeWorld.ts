// oxlint-disable-next-line import/no-unassigned-import -- it defines IDBKeyRange and the like
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { entries } from 'idb-keyval';
import { RudolphError } from '../../src/errors';
import type { ComponentName, Manifest } from '../../src/format/manifest';
import type { Notice } from '../../src/notice';
import { type Databases, isIntact, shardBytes, shardsNamed, type StoredManifest } from '../../src/store/databases';
import { openModel, type OpenModelOptions } from '../../src/store/openModel';
import { openStore } from '../../src/store/openStore';
import { listModels } from '../../src/store/storedModels';
import type { Random } from '../support/random';
import { type WebModel, webModel } from '../support/webModel';
import { Host } from './host';
import type { Kind, Report, Stage } from './suite';
import { installBrowser, KILLED, Locks, type Storage, Tab } from './tabs';

/** Sizes in proportion to the real ones: a shard is eight parts, three shards come at once. */
export const SHARD_BYTES = 24 * 1024;
export const PART_BYTES = 3 * 1024;
/** Faults that this many tries outlast. */
export const MOST_FAULTS = 3;

const MODEL = 'model';

export interface LoadOptions {
  readonly folder?: string;
  readonly signal?: AbortSignal;
  readonly components?: readonly ComponentName[];
  /** In place of the folder's address. */
  readonly url?: string;
}

/** How a load ended, if it did; what it opened. */
export type Loaded =
  | { readonly type: 'done'; readonly manifest: Manifest }
  | { readonly type: 'failed'; readonly error: Error }
  | { readonly type: 'killed' };

/** A host with a model, a browser's storage, and tabs. */
export class StoreWorld {
  readonly random: Random;
  readonly report: Report;
  readonly host: Host;
  readonly family: Family;
  readonly locks = new Locks();
  readonly storage: Storage = { fail: null, left: Infinity, told: true };
  /** Past all faults. */
  readonly databases: Databases;
  readonly tabs: Tab[] = [];
  readonly notices: Notice[] = [];
  model: WebModel;
  /** The round itself damages what is stored, or leaves a damaged version on the host. */
  damages = false;
  /** Every shard that any model of the round has, by its SHA-256. */
  readonly known = new Map<string, Uint8Array>();

  constructor(random: Random, report: Report, host: Host, family: Family) {
    this.random = random;
    this.report = report;
    this.host = host;
    this.family = family;
    this.model = random.pick(family.versions);
    globalThis.indexedDB = new IDBFactory();
    this.databases = {
      shards: openStore('rudolph-shards', 'shards'),
      manifests: openStore('rudolph-manifests', 'manifests'),
    };
    this.publish(this.model);
  }

  get url(): string {
    return this.urlOf(MODEL);
  }

  urlOf(folder: string): string {
    return `${this.host.url}${folder}/rudolph.json`;
  }

  /** The host has this model, or this version of it, from now on. */
  publish(model: WebModel, folder = MODEL): void {
    if (folder === MODEL) this.model = model;
    this.host.serve(folder, model.files);
    for (const [name, bytes] of model.files) if (name.endsWith('.bin')) this.known.set(name.slice(0, -4), bytes);
  }

  tab(): Tab {
    const tab = new Tab(this.random, this.locks, this.storage);
    this.tabs.push(tab);
    return tab;
  }

  expect(promise: boolean, what: string): void {
    if (!promise) this.report('broken', what);
  }

  /** Paths of the shards of the host's model, each once. */
  shardPaths(model = this.model): string[] {
    return [...model.files.keys()].filter((name) => name.endsWith('.bin')).map((name) => `${MODEL}/${name}`);
  }

  bytesOf(model = this.model): number {
    return [...model.files].reduce((sum, [name, { byteLength }]) => sum + (name.endsWith('.bin') ? byteLength : 0), 0);
  }

  /** Loads the model in a tab and compares every byte. */
  async load(tab: Tab, options: LoadOptions = {}): Promise<Loaded> {
    const { url = this.urlOf(options.folder ?? MODEL), signal } = options;
    const opening: OpenModelOptions = {
      databases: tab.databases,
      backOff: [1, 2, 3, 4, 5],
      stallMs: 400,
      partBytes: PART_BYTES,
      onNotice: (notice) => this.notices.push(notice),
      ...(signal ? { signal } : {}),
    };
    const read = async (): Promise<Loaded> => {
      const source = await openModel(url, opening);
      const { manifest } = source;
      const components = options.components ?? (Object.keys(manifest.components) as ComponentName[]);
      source.expect(components);
      for (const shard of components.flatMap((name) => manifest.components[name]?.shards ?? [])) {
        const bytes = await source.shard(shard, signal);
        const expected = this.known.get(shard.sha256);
        if (!expected || Buffer.compare(expected, new Uint8Array(bytes)) !== 0)
          this.report('wrong', `${shard.file} has other bytes`);
      }
      return { type: 'done', manifest };
    };
    try {
      const result = await tab.run(read);
      return result === KILLED ? { type: 'killed' } : result;
    } catch (error) {
      const typed = error instanceof RudolphError || (signal?.aborted && error === signal.reason);
      if (!typed) this.report('broken', `an error without a type: ${(error as Error)?.stack ?? String(error)}`);
      return { type: 'failed', error: error as Error };
    }
  }

  /** A load that has to succeed. */
  async mustLoad(tab = this.tab(), options: LoadOptions = {}): Promise<void> {
    const loaded = await this.load(tab, options);
    if (loaded.type !== 'done')
      this.report('broken', `a load ${loaded.type === 'failed' ? `failed: ${loaded.error.message}` : 'was killed'}`);
  }

  /** Every stored shard is what its name says. */
  async checkStorage(): Promise<void> {
    for (const [key, value] of await entries<string, unknown>(this.databases.shards)) {
      if (key.includes('+')) continue;
      const intact = await isIntact(await shardBytes(value), key);
      if (!intact) this.report('damaged', `the stored shard ${key}`);
    }
  }

  /** Nothing is stored that no manifest names. */
  async checkNothingLeft(): Promise<void> {
    const named = new Set<string>();
    for (const [, manifest] of await entries<string, StoredManifest>(this.databases.manifests))
      for (const hash of shardsNamed(manifest)) named.add(hash);
    for (const [key] of await entries<string, unknown>(this.databases.shards))
      this.expect(named.has(key.slice(0, 64)), `${key} is stored, and no model has it`);
  }

  /** After the round, with nothing wrong any more: the storage, a load, and one from storage alone. */
  async check(): Promise<void> {
    this.host.faults.clear();
    this.host.down = false;
    this.storage.fail = null;
    this.storage.left = Infinity;
    if (!this.damages) await this.checkStorage();
    await this.mustLoad();
    await this.checkStorage();
    await this.tab().run(() => listModels(this.databases));
    await this.checkNothingLeft();
    this.host.down = true;
    this.host.asked = [];
    await this.mustLoad();
    const asked = this.host.asked.filter((path) => path.endsWith('.bin'));
    this.expect(asked.length === 0, `with everything stored, ${asked.length} shards were asked for`);
    this.expect(this.locks.held.length === 0, `locks are held: ${this.locks.held.join(', ')}`);
  }

  /** Whatever still runs ends. */
  end(): void {
    for (const tab of this.tabs) tab.kill();
    this.host.reset();
  }
}

/** Models of a family: versions of one, and another that shares shards with them. */
export interface Family {
  readonly versions: readonly WebModel[];
  readonly other: WebModel;
}

export async function makeFamily(random: Random): Promise<Family> {
  const shard = (length = 4 * random.whole(64, SHARD_BYTES / 4)): Uint8Array<ArrayBuffer> => random.bytes(length);
  const full = (): Uint8Array<ArrayBuffer> => shard(SHARD_BYTES);
  const tokenizer = [shard(4 * random.whole(64, 1024))];
  const common = [full(), shard()];
  const repeated = full();
  const decoder = [full(), shard()];
  const encoder = [shard()];
  const version = (transformer: Uint8Array<ArrayBuffer>[], name = 'model'): Promise<WebModel> =>
    webModel(name, { tokenizer, transformer, imageDecoder: decoder, imageEncoder: encoder });
  return {
    versions: await Promise.all([
      version([...common, full(), repeated, repeated, shard()]),
      version([full(), ...common, full(), shard()]),
      version([repeated, ...common]),
    ]),
    other: await webModel('other', { tokenizer, transformer: [common[0]!, full()], imageDecoder: decoder }),
  };
}

/** Rounds against a real local host, with a fake IndexedDB and tabs in this process. */
export class StoreStage implements Stage<StoreWorld> {
  readonly kinds: readonly Kind<StoreWorld>[];
  readonly deadline = 20_000;
  readonly #host: Host;
  readonly #families: readonly Family[];
  readonly #restore: () => void;
  #world: StoreWorld | undefined;

  private constructor(kinds: readonly Kind<StoreWorld>[], host: Host, families: readonly Family[]) {
    this.kinds = kinds;
    this.#host = host;
    this.#families = families;
    this.#restore = installBrowser(
      () => this.#world!.locks,
      () => {
        const { left, told } = this.#world!.storage;
        return { usage: 0, quota: told && left < Infinity ? left : 1e12 };
      },
    );
  }

  static async start(kinds: readonly Kind<StoreWorld>[], random: Random): Promise<StoreStage> {
    const families = await Promise.all([makeFamily(random), makeFamily(random), makeFamily(random)]);
    return new StoreStage(kinds, await Host.start(), families);
  }

  async begin(random: Random, report: Report): Promise<StoreWorld> {
    this.#world = new StoreWorld(random, report, this.#host, random.pick(this.#families));
    return this.#world;
  }

  check(world: StoreWorld): Promise<void> {
    return world.check();
  }

  async end(world: StoreWorld): Promise<void> {
    world.end();
  }

  async stop(): Promise<void> {
    this.#restore();
    await this.#host.stop();
  }
}
