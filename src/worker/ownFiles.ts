import { RudolphError } from '../errors';
import { openFiles } from '../files/openFiles';
import { folderSource, storeFiles } from '../files/storeFiles';
import type { Manifest } from '../format/manifest';
import type { ModelFile } from '../format/modelFile';
import type { ModelSource } from '../format/modelSource';
import type { FileSink } from '../format/shards';
import type { Gpu } from '../gpu/device';
import { planDrawing } from '../model/plan';
import { addPreviewTable } from '../model/previewTable';
import { tested } from '../model/selfTest';
import { openDatabases } from '../store/databases';
import { nothingStored, openModel } from '../store/openModel';
import type { Notice } from '../notice';
import type { StoredModelOptions } from '../store/storedModel';
import type { ConvertSettings, LoadProgress } from './api';

/** A model to be loaded, with the address that it has in storage. */
export interface Opened {
  readonly source: ModelSource;
  readonly url: string;
}

export interface OwnFilesOptions {
  /** For the table of preview colours. */
  readonly gpu: Gpu;
  readonly opening: StoredModelOptions & {
    readonly signal: AbortSignal;
    readonly onNotice: (notice: Notice) => void;
  };
  readonly tell: (progress: Omit<LoadProgress, 'memory'>) => void;
  readonly settings: ConvertSettings;
  readonly store: boolean;
  readonly producer: string;
}

/**
 * Opens somebody's own files: recognises them, brings the model into storage and opens it there.
 * @throws RudolphError of `openFiles` and `storeFiles`; `storage` or `bad-input` where a checkpoint cannot or shall not be stored.
 */
export async function openOwnFiles(files: readonly ModelFile[], options: OwnFilesOptions): Promise<Opened> {
  const { opening, settings, tell } = options;
  const { signal, onNotice } = opening;
  tell({ stage: 'files', loadedBytes: 0, totalBytes: 0, fromCache: true });
  const opened = await openFiles(files, settings, options.producer);
  signal.throwIfAborted();
  // What this device cannot hold need not be stored. (A checkpoint's sizes in memory are known once it is converted.)
  if (opened.kind === 'folder') await planDrawing(options.gpu, opened.manifest);
  if (!options.store) {
    if (opened.kind === 'folder') return { source: folderSource(opened), url: '' };
    throw new RudolphError(
      'bad-input',
      'a checkpoint is converted into storage: leave out `store: false`, or convert it with rudolph-web convert',
    );
  }
  try {
    const databases = openDatabases();
    if (!databases) throw nothingStored();
    const url = await storeFiles(opened, {
      databases,
      signal,
      onNotice,
      onProgress: (progress) => tell({ ...progress, fromCache: true }),
      complete: (source, sink) => withPreview(source, sink, options),
    });
    return { source: await openModel(url, opening), url };
  } catch (error) {
    const noStorage = error instanceof RudolphError && error.code === 'storage' && error.details['full'] !== true;
    if (!noStorage || opened.kind === 'checkpoint') throw error;
    const message = `${error.message}. The model runs from its files, which have to be opened again next time`;
    onNotice({ code: 'storage-off', message, details: {} });
    return { source: folderSource(opened), url: '' };
  }
}

/** Adds the table of preview colours where the settings and the adapter allow. */
async function withPreview(source: ModelSource, sink: FileSink, options: OwnFilesOptions): Promise<Manifest> {
  const { signal, onNotice } = options.opening;
  const choice = options.settings.preview ?? 'auto';
  const without = 'pictures are drawn without a live preview';
  if (choice === 'off') return source.manifest;
  if (choice === 'auto' && options.gpu.adapter.software) {
    onNotice({ code: 'no-preview', message: `only a software adapter: ${without}`, details: {} });
    return source.manifest;
  }
  // A part done is told in the bytes of the table: three a code.
  const totalBytes = 3 * (source.manifest.imageTokenizer?.codes ?? 0);
  const onProgress = (done: number): void =>
    options.tell({ stage: 'preview', loadedBytes: Math.floor(done * totalBytes), totalBytes, fromCache: true });
  try {
    const computing = addPreviewTable(tested(options.gpu), source, sink, { signal, onProgress });
    return await options.gpu.failure.race(computing, signal);
  } catch (error) {
    signal.throwIfAborted();
    // No room for it, or a device that fails: the conversion is worth keeping.
    if (!(error instanceof RudolphError) || error.code === 'storage') throw error;
    const message = `the colours of live previews could not be computed (${error.message}): ${without}`;
    onNotice({ code: 'no-preview', message, details: { reason: error.message } });
    return source.manifest;
  }
}
