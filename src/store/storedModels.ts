import { parseManifest } from '../format/parseManifest';
import {
  allShards,
  type Databases,
  manifestEntries,
  type ModelOrigin,
  openDatabases,
  readManifest,
  removeManifest,
  removeUnused,
  shardKeys,
  shardsNamed,
} from './databases';
import { sweep } from './localModel';
import { exclusively } from './locks';
import { manifestUrl } from './openModel';
import { withStorage } from './room';

/** A model that this browser keeps, whole or in part. */
export interface StoredModelInfo {
  readonly url: string;
  readonly name: string;
  readonly byteLength: number;
  /** Of `byteLength`, what is stored. Shards that models share count for each. */
  readonly storedBytes: number;
  /** When it was last opened. */
  readonly savedAt: Date;
  readonly source: ModelOrigin;
}

/**
 * The models in this browser's storage, the last opened first.
 * @throws RudolphError `storage`
 */
export async function listModels(databases: Databases | null = openDatabases()): Promise<StoredModelInfo[]> {
  if (!databases) return [];
  const [manifests, here] = await withStorage(async () => {
    await sweep(databases);
    return Promise.all([readable(databases), shardKeys(databases)]);
  });
  return manifests
    .map(({ url, manifest, openedAt, source }) => {
      const shards = allShards(manifest);
      const sum = (list: typeof shards) => list.reduce((total, shard) => total + shard.byteLength, 0);
      return {
        url,
        name: manifest.name,
        byteLength: sum(shards),
        storedBytes: sum(shards.filter((shard) => here.has(shard.sha256))),
        savedAt: openedAt,
        source,
      };
    })
    .sort((a, b) => b.savedAt.getTime() - a.savedAt.getTime());
}

/**
 * Removes a model with all its versions from this browser's storage; shards that other stored models use stay.
 * @throws RudolphError `storage`
 */
export async function deleteModel(url: string, databases: Databases | null = openDatabases()): Promise<void> {
  if (!databases) return;
  const address = manifestUrl(url, typeof location === 'undefined' ? undefined : location.href);
  const remove = async (): Promise<void> => {
    const stored = await readManifest(databases, address);
    await removeManifest(databases, address);
    if (stored) await removeUnused(databases, shardsNamed(stored));
  };
  await withStorage(() => exclusively(remove));
}

async function readable(databases: Databases) {
  return (await manifestEntries(databases)).flatMap(([url, { text, openedAt, origin }]) => {
    try {
      return [
        { url, manifest: parseManifest(text, url), openedAt: new Date(openedAt), source: origin ?? ('url' as const) },
      ];
    } catch {
      return []; // of a version that this library cannot read
    }
  });
}
