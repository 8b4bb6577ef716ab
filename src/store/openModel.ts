import { RudolphError } from '../errors';
import { MANIFEST_FILE } from '../format/manifest';
import { parseManifest } from '../format/parseManifest';
import {
  type Databases,
  isQuotaError,
  openDatabases,
  readManifest,
  type StoredManifest,
  undamaged,
  writeManifest,
} from './databases';
import { downloadText } from './download';
import { checkLocal, isLocal, localAddress, sweep } from './localModel';
import { exclusively } from './locks';
import { megabytes } from './room';
import { StoredModel, type StoredModelOptions } from './storedModel';
import { isWhole, register, type Registered } from './versions';

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
  if ((await localAddress(stored.text)) !== url) {
    throw new RudolphError(
      'bad-model',
      `the manifest of the model ${url} was damaged in this browser's storage. Open the model's files again`,
      { url },
    );
  }
  const manifest = parseManifest(stored.text, url);
  return new StoredModel({ url, manifest, text: stored.text, databases, keeps: true }, options);
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
  let stored: StoredManifest | undefined;
  try {
    if (databases) stored = await undamaged(await readManifest(databases, address));
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
  const version = await currentVersion(address, stored, options);
  const { text } = version;
  const manifest = parseManifest(text, address);
  const nowhere = { url: address, manifest, text, databases, keeps: false };
  if (!databases) return new StoredModel(nowhere, options);
  let found: Registered;
  try {
    // What nobody needs any more takes room that this model may want.
    await sweep(databases);
    found = await register(databases, address, manifest, version);
  } catch (error) {
    const full = isQuotaError(error);
    const reason = error instanceof Error ? error.message : String(error);
    options.onNotice?.({
      code: full ? 'storage-full' : 'storage-failed',
      message: `this browser keeps nothing of the model: its storage ${full ? 'is full' : `failed (${reason})`}. It runs all the same, but has to be fetched again next time`,
      details: full ? {} : { reason },
    });
    return new StoredModel(nowhere, options);
  }
  const { keeps, missingBytes, evictedBytes, here, freeBytes, spareBytes } = found;
  if (!keeps) {
    const free = freeBytes ?? 0;
    options.onNotice?.({
      code: 'storage-full',
      message: `the model needs ${megabytes(missingBytes)} of this browser's storage, ${megabytes(free)} are free: it runs, but has to be fetched again next time. Free ${megabytes(missingBytes - free)} (remove stored models, or make room on the disk) to keep it`,
      details: { neededBytes: missingBytes, freeBytes: free, missingBytes: missingBytes - free },
    });
  }
  if (evictedBytes > 0) {
    options.onNotice?.({
      code: 'storage-evicted',
      message: `this browser removed ${megabytes(evictedBytes)} of the model from its storage since the last visit, as browsers do when the disk fills up; they are fetched again`,
      details: { evictedBytes },
    });
  }
  return new StoredModel({ ...nowhere, keeps, here, freeBytes, spareBytes }, options);
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

/**
 * The network's version; one that is stored where the network has none to give: if a newer one is not there completely, the one
 * before. A 404 is an answer, not an outage.
 */
async function currentVersion(
  url: string,
  stored: StoredManifest | undefined,
  options: OpenModelOptions,
): Promise<{ readonly text: string; readonly isCurrent: boolean }> {
  const { signal, backOff, stallMs } = options;
  const common = { label: 'the manifest', ...(signal ? { signal } : {}) };
  if (!stored) {
    const tries = { ...(backOff ? { backOff } : {}), ...(stallMs ? { stallMs } : {}) };
    return { text: await downloadText(url, { ...common, ...tries }), isCurrent: true };
  }
  // What the browser knows to be in vain is not asked for. Its `true` means little, its `false` that there is no network; Node says neither.
  if (globalThis.navigator?.onLine !== false) {
    try {
      const text = await downloadText(url, { ...common, backOff: [], stallMs: stallMs ?? OFFLINE_AFTER_MS });
      return { text, isCurrent: true };
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RudolphError) || error.code !== 'download' || error.details['status'] !== undefined)
        throw error;
    }
  }
  const { text, previous } = stored;
  if (!previous || isWhole(stored)) return { text, isCurrent: false };
  options.onNotice?.({
    code: 'older-version',
    message:
      "the model's host cannot be reached, and its new version has not come completely: the version before is used",
    details: {},
  });
  return { text: previous.text, isCurrent: false };
}
