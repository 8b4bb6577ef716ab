import type { ComponentName, Manifest } from '../format/manifest';
import { parseManifest } from '../format/parseManifest';
import {
  type Databases,
  manifestEntries,
  readManifest,
  removeUnused,
  sha256OfText,
  shardKeys,
  shardsNamed,
  type StoredManifest,
  type StoredVersion,
  undamaged,
  writeManifest,
} from './databases';
import { exclusively } from './locks';
import { freeBytes } from './room';

/*
 * A model's address may bring a new version. Its shards are stored beside those of the version before, of which only what both use is kept
 * twice as long as it is needed: until the new one is whole.
 */

/** Whether enough of a version was stored to load it without its host. */
export const isWhole = ({ whole = [] }: StoredVersion): boolean => whole.length > 0;

/** What `register` found and decided. */
export interface Registered {
  /** Whether there is room for what is missing. */
  readonly keeps: boolean;
  /** Bytes of the model that are not stored, and of these what once was. */
  readonly missingBytes: number;
  readonly evictedBytes: number;
  readonly here: ReadonlySet<string>;
  readonly freeBytes: number | null;
  /** What remains free once all is stored; null where the browser does not say. */
  readonly spareBytes: number | null;
}

/**
 * Remembers that a version of a model is opened, and makes room for it: what only outdated versions use is removed.
 * @param isCurrent false where its host cannot be reached: then it may be the version before.
 */
export async function register(
  databases: Databases,
  url: string,
  manifest: Manifest,
  version: { readonly text: string; readonly isCurrent: boolean },
): Promise<Registered> {
  const { text } = version;
  const fresh = { text, sha256: await sha256OfText(text) };
  return exclusively(async () => {
    // Read again: another tab may have changed it.
    const [all, here, free] = await Promise.all([manifestEntries(databases), shardKeys(databases), freeBytes()]);
    const found = all.find(([other]) => other === url)?.[1];
    const stored = await undamaged(found);
    const others = all.filter(([other]) => other !== url).map(([, record]) => record);
    const missingBytes = bytesOf(manifest, (sha256) => !here.has(sha256));
    // With the manifest, which browsers keep in two bytes a letter.
    const needed = missingBytes + 2 * text.length;
    const spare = (record: StoredManifest): number =>
      free === null ? Infinity : free + (stored ? bytesLost(stored, [record, ...others], url, here) : 0) - needed;

    let record = version.isCurrent || !stored ? recordOf(stored, fresh) : { ...stored, openedAt: Date.now() };
    let left = spare(record);
    let keeps = missingBytes === 0 || left >= 0;
    if (!keeps && record.previous) {
      const { previous: _, ...alone } = record;
      left = spare(alone);
      keeps = left >= 0;
      // If there is no room even without the version before, that one had better stay: it loads without a network.
      record = keeps ? alone : { ...stored!, openedAt: Date.now() };
    }
    await writeManifest(databases, url, record);
    if (found) await removeUnused(databases, shardsNamed(found));
    const whole = [record, record.previous].find((known) => known?.text === text)?.whole ?? [];
    const evictedBytes = bytesOf(manifest, (sha256) => !here.has(sha256), whole);
    return { keeps, missingBytes, evictedBytes, here, freeBytes: free, spareBytes: free === null ? null : left };
  });
}

/** Remembers that components of a version are stored completely; the version before may go. */
export function rememberWhole(
  databases: Databases,
  url: string,
  text: string,
  components: readonly ComponentName[],
): Promise<void> {
  return exclusively(async () => {
    const stored = await readManifest(databases, url);
    // Removed, or another tab has opened a newer version.
    if (stored?.text !== text) return;
    const { previous, whole = [], ...rest } = stored;
    if (!previous && components.every((name) => whole.includes(name))) return;
    const record = { ...rest, whole: [...new Set([...whole, ...components])] };
    await writeManifest(databases, url, record);
    if (previous) await removeUnused(databases, shardsNamed(stored));
  });
}

/** What is remembered when the host has the version `fresh`. */
function recordOf(stored: StoredManifest | undefined, fresh: StoredVersion): StoredManifest {
  const now = { openedAt: Date.now(), origin: 'url' as const };
  if (!stored) return { ...fresh, ...now };
  if (stored.text === fresh.text) {
    const { previous, ...alone } = stored;
    return previous && !isWhole(stored) ? { ...stored, ...fresh, ...now } : { ...alone, ...fresh, ...now };
  }
  // The host went back to the version before.
  if (stored.previous?.text === fresh.text) return { ...stored.previous, ...fresh, ...now };
  const { openedAt: _, origin: __, previous: before, ...current } = stored;
  const previous = isWhole(stored) ? current : before;
  return { ...fresh, ...now, ...(previous ? { previous } : {}) };
}

/** Bytes of the shards that `counts`, each once: of all components or of some. */
function bytesOf(
  manifest: Manifest,
  counts: (sha256: string) => boolean,
  components: readonly string[] = Object.keys(manifest.components),
): number {
  const shards = new Map<string, number>();
  for (const name of components) {
    for (const { sha256, byteLength } of manifest.components[name as ComponentName]?.shards ?? [])
      if (counts(sha256)) shards.set(sha256, byteLength);
  }
  return [...shards.values()].reduce((sum, byteLength) => sum + byteLength, 0);
}

/** Bytes of stored shards that `before` names, and none of `after`; without those of a version that this library cannot read. */
function bytesLost(
  before: StoredManifest,
  after: readonly StoredManifest[],
  url: string,
  here: ReadonlySet<string>,
): number {
  const named = new Set(after.flatMap((record) => [...shardsNamed(record)]));
  let sum = 0;
  for (const version of [before, before.previous]) {
    if (!version) continue;
    try {
      sum += bytesOf(parseManifest(version.text, url), (sha256) => here.has(sha256) && !named.has(sha256));
    } catch {
      // Room that is not counted on.
    }
  }
  return sum;
}
