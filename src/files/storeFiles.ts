import { RudolphError } from '../errors';
import type { Manifest, ShardEntry } from '../format/manifest';
import type { ModelFile } from '../format/modelFile';
import type { ModelSource } from '../format/modelSource';
import { sha256 } from '../format/sha256';
import type { FileSink } from '../format/shards';
import type { Notice } from '../notice';
import type { Databases } from '../store/databases';
import { Intake, localAddress, sweep } from '../store/localModel';
import { nothingStored } from '../store/openModel';
import { demandRoom } from '../store/room';
import { StoredModel } from '../store/storedModel';
import { type CheckpointFiles, type FolderFiles, missingBytes, type OpenedFiles } from './openFiles';
import { namedSource } from './recognise';

/** How far a model has come into storage. */
export interface StoreProgress {
  readonly stage: 'copy' | 'convert';
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface StoreFilesOptions {
  readonly databases: Databases;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: StoreProgress) => void;
  readonly onNotice?: (notice: Notice) => void;
  /** Adds what needs a graphics adapter to a model that was just converted; writes its shards to the sink. */
  readonly complete?: (source: ModelSource, sink: FileSink) => Promise<Manifest>;
}

/**
 * Brings a model into storage: a folder's shards are verified and copied, a checkpoint's are made by the converter, one at a
 * time. Whatever ends it early, nothing of it stays.
 * @returns the model's `local:` address; the same files have the same.
 * @throws RudolphError `storage` (with `details.missingBytes` where there is no room), `bad-model` or `bad-checkpoint` naming the
 * file; the signal's reason.
 */
export async function storeFiles(opened: OpenedFiles, options: StoreFilesOptions): Promise<string> {
  try {
    await sweep(options.databases);
  } catch (error) {
    throw nothingStored(error); // private modes have an IndexedDB that refuses to open
  }
  const needed =
    opened.kind === 'folder' ? await missingBytes(opened, options.databases) : opened.conversion.byteLength;
  await demandRoom(needed);
  const intake = await Intake.begin(options.databases, needed);
  try {
    options.signal?.throwIfAborted();
    const text =
      opened.kind === 'folder' ? await copy(opened, intake, options) : await convert(opened, intake, options);
    options.signal?.throwIfAborted();
    return await intake.commit(text, opened.kind);
  } catch (error) {
    await intake.discard();
    throw error;
  }
}

async function copy(opened: FolderFiles, intake: Intake, options: StoreFilesOptions): Promise<string> {
  const totalBytes = opened.shards.reduce((sum, { entry }) => sum + entry.byteLength, 0);
  let loadedBytes = 0;
  for (const { entry, file } of opened.shards) {
    options.signal?.throwIfAborted();
    options.onProgress?.({ stage: 'copy', loadedBytes, totalBytes });
    await intake.put(entry.sha256, await readShardFile(entry, file));
    loadedBytes += entry.byteLength;
  }
  options.onProgress?.({ stage: 'copy', loadedBytes, totalBytes });
  return opened.text;
}

async function convert({ conversion }: CheckpointFiles, intake: Intake, options: StoreFilesOptions): Promise<string> {
  for (const message of conversion.notes) options.onNotice?.({ code: 'converted', message, details: {} });
  options.onProgress?.({ stage: 'convert', loadedBytes: 0, totalBytes: conversion.byteLength });
  let manifest = await conversion.write({
    sink: intake,
    onProgress: ({ writtenBytes: loadedBytes, totalBytes }) =>
      options.onProgress?.({ stage: 'convert', loadedBytes, totalBytes }),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  if (options.complete && manifest.components.imageDecoder) {
    // The address only marks it as one that has no host.
    const text = JSON.stringify(manifest);
    const place = { url: await localAddress(text), manifest, text, databases: options.databases, keeps: true };
    manifest = await options.complete(new StoredModel(place, {}), intake);
  }
  return `${JSON.stringify(manifest)}\n`;
}

/** A folder's model, read from its files without storing anything. */
export function folderSource({ manifest, shards }: FolderFiles): ModelSource {
  const files = new Map(shards.map(({ entry, file }) => [entry.sha256, file]));
  return {
    manifest,
    shard: async (entry, signal) => {
      signal?.throwIfAborted();
      return readShardFile(entry, files.get(entry.sha256)!);
    },
  };
}

/** @throws RudolphError `bad-model` when the file is not what its name says. */
async function readShardFile(entry: ShardEntry, file: ModelFile): Promise<ArrayBuffer> {
  const { source } = namedSource(file);
  const bytes = await source.slice(0, source.byteLength);
  if ((await sha256(bytes)) === entry.sha256) return bytes;
  throw new RudolphError(
    'bad-model',
    `${file.path} is damaged (SHA-256 differs). Copy the folder anew, or convert the model again`,
    { file: file.path, sha256: entry.sha256 },
  );
}
