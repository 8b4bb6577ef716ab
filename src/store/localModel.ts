import { RudolphError } from '../errors';
import { MANIFEST_FILE } from '../format/manifest';
import type { FileSink } from '../format/shards';
import {
  type Databases,
  isIntact,
  manifestEntries,
  type ModelOrigin,
  readShard,
  removeManifest,
  removeUnused,
  sha256OfText,
  shardKeys,
  shardsNamed,
  unusedShards,
  writeManifest,
  writeShard,
} from './databases';
import { exclusively, webLocks } from './locks';
import { withStorage } from './room';

/** Addresses of models that came from somebody's own files: `local:` and 32 digits of the manifest's SHA-256. */
const LOCAL = /^local:[0-9a-f]{32}$/;

export function isLocal(url: string): boolean {
  return url.startsWith('local:');
}

/**
 * The address of a model by its manifest: the same files make the same address, whether converted here or elsewhere.
 * @param text of the manifest
 */
export async function localAddress(text: string): Promise<string> {
  return `local:${(await sha256OfText(text)).slice(0, 32)}`;
}

/** @throws RudolphError `bad-input` for what `localAddress` cannot have made. */
export function checkLocal(url: string): string {
  if (LOCAL.test(url)) return url;
  throw new RudolphError('bad-input', `'${url.slice(0, 80)}' is no address of a stored model`, { url });
}

const PREFIX = 'intake:';
/** Of this worker. */
const underWay = new Set<string>();

/**
 * A model on its way into storage. Its shards are listed beside the manifests before they are written: so a concurrent `deleteModel`
 * leaves them alone, and whatever ends the worker, `sweep` finds what has to go.
 */
export class Intake implements FileSink {
  readonly #databases: Databases;
  readonly #key: string;
  readonly #neededBytes: number;
  readonly #shards = new Set<string>();
  #release: () => void = () => undefined;

  private constructor(databases: Databases, neededBytes: number) {
    this.#databases = databases;
    this.#neededBytes = neededBytes;
    this.#key = `${PREFIX}${crypto.randomUUID()}`;
  }

  /** @param neededBytes what will be written, for the error where it has no room. */
  static async begin(databases: Databases, neededBytes: number): Promise<Intake> {
    const intake = new Intake(databases, neededBytes);
    underWay.add(intake.#key);
    const locks = webLocks();
    if (locks) {
      await new Promise<void>((resolve, reject) => {
        const hold = (): Promise<void> => {
          resolve();
          return new Promise((release) => (intake.#release = release));
        };
        locks.request(intake.#key, {}, hold).catch(reject);
      });
    }
    return intake;
  }

  /** Stores a shard named `<SHA-256>.bin`; the manifest is left to `commit`. */
  async write(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (file === MANIFEST_FILE) return;
    // `slice` where the view is a part: IndexedDB stores the whole buffer behind it.
    const whole = bytes.byteLength === bytes.buffer.byteLength;
    await this.put(file.replace(/\.bin$/, ''), whole ? bytes.buffer : bytes.slice().buffer);
  }

  /**
   * Stores a shard, unless it is there undamaged.
   * @throws RudolphError `storage`
   */
  async put(hash: string, bytes: ArrayBuffer): Promise<void> {
    const write = async (): Promise<void> => {
      if (!this.#shards.has(hash)) {
        this.#shards.add(hash);
        const text = JSON.stringify({ intake: [...this.#shards] });
        await writeManifest(this.#databases, this.#key, { text, openedAt: Date.now() });
      }
      const stored = await readShard(this.#databases, hash).catch(() => undefined);
      if (!(await isIntact(stored, hash))) await writeShard(this.#databases, hash, bytes);
    };
    await withStorage(() => exclusively(write), this.#neededBytes);
  }

  /**
   * Ends the intake: from now on the model is listed.
   * @returns its address, for `openModel`
   * @throws RudolphError `storage`
   */
  async commit(text: string, origin: ModelOrigin): Promise<string> {
    const url = await localAddress(text);
    const write = async (): Promise<void> => {
      const here = await shardKeys(this.#databases);
      if (![...this.#shards].every((hash) => here.has(hash))) {
        throw new RudolphError(
          'storage',
          "this browser removed the model while it was being stored (were the site's data cleared?): open its files again",
        );
      }
      await writeManifest(this.#databases, url, { text, openedAt: Date.now(), origin });
      await removeManifest(this.#databases, this.#key);
    };
    await withStorage(() => exclusively(write), this.#neededBytes);
    this.#end();
    return url;
  }

  /** Ends the intake and removes what it stored, save for what other models use. */
  async discard(): Promise<void> {
    try {
      await clear(this.#databases, this.#key, [...this.#shards]);
    } catch {
      // A storage that fails now is swept later.
    } finally {
      this.#end();
    }
  }

  #end(): void {
    underWay.delete(this.#key);
    this.#release();
  }
}

/**
 * Removes what nobody will come back for: what intakes left that ended without saying so (a closed tab, a worker that was killed), and
 * shards that no model names any more.
 */
export async function sweep(databases: Databases): Promise<void> {
  for (const [key, manifest] of await manifestEntries(databases)) {
    if (!key.startsWith(PREFIX) || underWay.has(key)) continue;
    const remove = (): Promise<void> => clear(databases, key, shardsNamed(manifest));
    const locks = webLocks();
    // Another tab's intake holds its lock.
    if (locks) await locks.request(key, { ifAvailable: true }, (lock) => (lock ? remove() : undefined));
    else await remove();
  }
  const unused = await unusedShards(databases);
  if (unused.length > 0) await exclusively(() => removeUnused(databases, unused));
}

async function clear(databases: Databases, key: string, shards: Iterable<string>): Promise<void> {
  await exclusively(async () => {
    await removeManifest(databases, key);
    await removeUnused(databases, shards);
  });
}
