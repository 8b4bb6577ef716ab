import { expose } from 'comlink';
import { toPlain } from '../../../src/errors';
import type { ComponentName } from '../../../src/format/manifest';
import { sha256 } from '../../../src/format/sha256';
import { openModel } from '../../../src/store/openModel';
import { deleteModel, listModels } from '../../../src/store/storedModels';

/** What a worker that has the store alone, without an engine, made of a model. */
export interface ReadResult {
  /** Why it was not read; null: it was. */
  readonly problem: { readonly code: string | null; readonly message: string } | null;
  /** SHA-256 of what came for each shard. */
  readonly shards: readonly { readonly file: string; readonly sha256: string }[];
  readonly notices: readonly string[];
}

/** Reads all shards of a model, with its own settings of the store where they are given. */
async function read(
  url: string,
  settings: { partBytes?: number; components?: ComponentName[] },
  onLoaded: (bytes: number) => void,
): Promise<ReadResult> {
  const notices: string[] = [];
  const shards: { file: string; sha256: string }[] = [];
  try {
    const source = await openModel(url, {
      backOff: [20, 50, 100, 200],
      stallMs: 5000,
      onNotice: ({ code }) => notices.push(code),
      onProgress: ({ loadedBytes }) => onLoaded(loadedBytes),
      ...(settings.partBytes ? { partBytes: settings.partBytes } : {}),
    });
    const components = settings.components ?? (Object.keys(source.manifest.components) as ComponentName[]);
    source.expect(components);
    for (const shard of components.flatMap((name) => source.manifest.components[name]?.shards ?? []))
      shards.push({ file: shard.file, sha256: await sha256(await source.shard(shard)) });
    return { problem: null, shards, notices };
  } catch (error) {
    return { problem: toPlain(error), shards, notices };
  }
}

const api = {
  read,
  remove: (url: string): Promise<void> => deleteModel(url),
  list: async (): Promise<readonly string[]> => (await listModels()).map(({ url }) => url),
};
export type StoreApi = typeof api;

expose(api);
