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
import { StoredModel, type StoredModelOptions } from './storedModel';

export interface OpenModelOptions extends StoredModelOptions {
  readonly signal?: AbortSignal;
  /** Where to keep the model; the page's own databases by default, null for nowhere. */
  readonly databases?: Databases | null;
}

/** With a stored copy at hand a silent network is not waited for longer than this. */
const OFFLINE_AFTER_MS = 5000;

/**
 * Opens the web model at an address: `rudolph.json` from the host, or from storage where the host cannot be reached; shards
 * come from storage or the host as they are asked for.
 * @param url of the manifest, or of the folder it lies in.
 * @throws RudolphError `download` or `bad-model`; the signal's reason.
 */
export async function openModel(url: string, options: OpenModelOptions = {}): Promise<StoredModel> {
  const address = manifestUrl(url);
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
      await writeManifest(databases, address, { text, openedAt: Date.now() });
      // A new version of the model: what only the old one used would stay for ever.
      if (stored && stored.text !== text) await removeUnused(databases, stored.text.match(/\b[0-9a-f]{64}\b/g) ?? []);
      keeps = await hasRoom(databases, manifest, options);
    } catch {
      keeps = false;
    }
  }
  return new StoredModel(address, manifest, databases, keeps, options);
}

/** The manifest's address from that of the manifest or of its folder. */
export function manifestUrl(url: string, base?: string): string {
  let address: URL;
  try {
    address = new URL(url, base);
  } catch {
    throw new RudolphError('bad-input', `'${url}' is no address of a model`, { url });
  }
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
  if (typeof navigator === 'undefined' || !navigator.storage?.estimate) return true;
  const { quota, usage } = await navigator.storage.estimate();
  if (quota === undefined || usage === undefined) return true;
  const here = await shardKeys(databases);
  const missing = allShards(manifest).reduce((sum, shard) => sum + (here.has(shard.sha256) ? 0 : shard.byteLength), 0);
  const free = Math.max(0, quota - usage);
  if (missing <= free) return true;
  options.onNotice?.({
    code: 'storage-full',
    message: `the model needs ${megabytes(missing)} of this browser's storage, ${megabytes(free)} are free: it runs, but has to be fetched again next time`,
    details: { neededBytes: missing, freeBytes: free },
  });
  return false;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
