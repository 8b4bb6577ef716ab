import { RudolphError } from '../errors';
import { type Manifest, MANIFEST_FILE } from '../format/manifest';
import { parseManifest } from '../format/parseManifest';
import {
  allShards,
  type Databases,
  openDatabases,
  readManifest,
  removeUnused,
  shardKeys,
  writeManifest,
} from './databases';
import { downloadText } from './download';
import { checkLocal, isLocal } from './localModel';
import { exclusively } from './locks';
import { freeBytes, megabytes } from './room';
import { StoredModel, type StoredModelOptions } from './storedModel';

export interface OpenModelOptions extends StoredModelOptions {
  readonly signal?: AbortSignal;
  /** Where to keep the model; the page's own databases by default, null for nowhere. */
  readonly databases?: Databases | null;
}

/** With a stored copy at hand a silent network is not waited for longer than this. */
const OFFLINE_AFTER_MS = 5000;

/**
 * Opens a model that came from somebody's own files, from storage alone.
 * @param url as `Intake.commit` gave it
 * @throws RudolphError `bad-model` where it is not stored (any more), `storage` where there is no storage
 */
async function openLocal(url: string, options: OpenModelOptions): Promise<StoredModel> {
  checkLocal(url);
  // There is nowhere else to take it from.
  const databases = options.databases ?? openDatabases();
  if (!databases) throw nothingStored();
  let stored: Awaited<ReturnType<typeof readManifest>>;
  try {
    // Exclusively, lest a model that is being deleted gets its manifest back.
    stored = await exclusively(async () => {
      const found = await readManifest(databases, url);
      // Only the date changes; that it cannot be written does no harm.
      if (found) await writeManifest(databases, url, { ...found, openedAt: Date.now() }).catch(() => undefined);
      return found;
    });
  } catch (error) {
    throw nothingStored(error);
  }
  if (!stored) {
    throw new RudolphError(
      'bad-model',
      `the model ${url} is not in this browser's storage: it was removed, or the browser cleared the site's data. Open its files again`,
      { url },
    );
  }
  const manifest = parseManifest(stored.text, url);
  return new StoredModel(url, manifest, databases, true, options);
}

/** The error where own files should be stored, or a stored model opened, and there is no IndexedDB. */
export function nothingStored(cause?: unknown): RudolphError {
  return new RudolphError(
    'storage',
    'this browser stores nothing for this page (a private window?): open the page in an ordinary window',
    {},
    { cause },
  );
}

/**
 * Opens the web model at an address: `rudolph.json` from the host, or from storage where the host cannot be reached; shards
 * come from storage or the host as they are asked for.
 * @param url of the manifest, or of the folder it lies in; or `local:…` of a model that is only in storage.
 * @throws RudolphError `download` or `bad-model`; the signal's reason.
 */
export async function openModel(url: string, options: OpenModelOptions = {}): Promise<StoredModel> {
  const address = manifestUrl(url);
  if (isLocal(address)) return openLocal(address, options);
  let databases = options.databases === undefined ? openDatabases() : options.databases;
  let stored: Awaited<ReturnType<typeof readManifest>>;
  try {
    if (databases) stored = await readManifest(databases, address);
  } catch {
    databases = null; // private modes have an IndexedDB that refuses to open
  }
  if (!databases && options.databases !== null) {
    options.onNotice?.({
      code: 'storage-off',
      message: 'this browser stores nothing (a private window?): the model runs, but has to be fetched again next time',
      details: {},
    });
  }
  const text = await manifestText(address, stored?.text, options);
  const manifest = parseManifest(text, address);
  let keeps = databases !== null;
  if (databases) {
    try {
      await writeManifest(databases, address, { text, openedAt: Date.now(), origin: 'url' });
      // A new version of the model: what only the old one used would stay for ever.
      const old = stored && stored.text !== text ? (stored.text.match(/\b[0-9a-f]{64}\b/g) ?? []) : [];
      if (old.length > 0) await exclusively(() => removeUnused(databases!, old));
      keeps = await hasRoom(databases, manifest, options);
    } catch {
      keeps = false;
    }
  }
  return new StoredModel(address, manifest, databases, keeps, options);
}

/** The manifest's address from that of the manifest or of its folder; `local:…` stays. */
export function manifestUrl(url: string, base?: string): string {
  let address: URL;
  try {
    address = new URL(url, base);
  } catch {
    throw new RudolphError('bad-input', `'${url}' is no address of a model`, { url });
  }
  if (isLocal(address.href)) return address.href;
  if (!address.pathname.endsWith('.json'))
    address.pathname += `${address.pathname.endsWith('/') ? '' : '/'}${MANIFEST_FILE}`;
  address.hash = '';
  return address.href;
}

/** The network's manifest; the stored one where the network has none to give. A 404 is an answer, not an outage. */
async function manifestText(url: string, stored: string | undefined, options: OpenModelOptions): Promise<string> {
  const common = { label: 'the manifest', ...(options.signal ? { signal: options.signal } : {}) };
  const waits = options.backOff ? { backOff: options.backOff } : {};
  if (stored === undefined) return downloadText(url, { ...common, ...waits });
  try {
    const text = await downloadText(url, { ...common, backOff: [], stallMs: OFFLINE_AFTER_MS });
    return text;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof RudolphError && error.details['status'] === undefined) return stored;
    throw error;
  }
}

/** Whether what is missing of the model fits into the browser's quota; says so if not. */
async function hasRoom(databases: Databases, manifest: Manifest, options: OpenModelOptions): Promise<boolean> {
  const free = await freeBytes();
  if (free === null) return true;
  const here = await shardKeys(databases);
  const missing = allShards(manifest).reduce((sum, shard) => sum + (here.has(shard.sha256) ? 0 : shard.byteLength), 0);
  if (missing === 0 || missing <= free) return true;
  options.onNotice?.({
    code: 'storage-full',
    message: `the model needs ${megabytes(missing)} of this browser's storage, ${megabytes(free)} are free: it runs, but has to be fetched again next time`,
    details: { neededBytes: missing, freeBytes: free },
  });
  return false;
}
