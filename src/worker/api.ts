import type { PlainError } from '../errors';
import type { ConvertSettings, FileRole, FilesReport } from '../files/report';
import type { ComponentName, Manifest } from '../format/manifest';
import type { ModelFile } from '../format/modelFile';
import type { AdapterDescription, GpuMemory, VariantChoice, Variants } from '../gpu/variants';
import type { NoticeEvent, TaskName, TaskTypes } from '../tasks/types';

export type { ConvertSettings, FileRole, FilesReport };

/** How far a load has come. */
export interface LoadProgress {
  /**
   * `manifest`: it is being fetched; `download`: weights come in (from the network or from storage) and go to the GPU; `compile`:
   * kernels are made. Before these, where files are opened: `files`, they are recognised; then `copy`, a converted model's shards are
   * verified and stored, or `convert`, upstream's weights are converted and stored; and `preview`, colours for live previews are
   * computed.
   */
  readonly stage: 'files' | 'copy' | 'convert' | 'preview' | 'manifest' | 'download' | 'compile';
  /** Of this stage; `compile` repeats those of `download`. */
  readonly loadedBytes: number;
  /** 0 while it is not known. */
  readonly totalBytes: number;
  /** Whether everything comes from this browser's storage, and nothing has to be fetched. */
  readonly fromCache: boolean;
  /** With `download`: what is going to be fetched and how much room there is, known before the first byte is fetched. */
  readonly plan?: LoadPlan;
  /** What model and drawing take of the graphics memory: known before anything is downloaded, null before that. */
  readonly memory: GpuMemory | null;
}

/** What a load, or the part of a model that a later task needs, is going to take. To refuse it, abort the load. */
export interface LoadPlan {
  /** Bytes that are needed now, and of those what is in this browser's storage already: the rest is fetched. */
  readonly totalBytes: number;
  readonly storedBytes: number;
  /** Bytes of the whole model, with the parts that only later tasks need. */
  readonly modelBytes: number;
  /** Bytes that this browser still lets the page store; null where it does not say. */
  readonly freeBytes: number | null;
  /** Whether what is fetched will be stored: there is storage, and room. */
  readonly keeps: boolean;
}

/** What is known about a loaded model and about what it runs on. */
export interface RudolphInfo {
  readonly adapter: AdapterDescription;
  /** Which optional kernel variants are in use. */
  readonly variants: Variants;
  /** What model and drawing take of the graphics memory. */
  readonly memory: GpuMemory;
  /** How the kernels did that were tested at load, the adapter and the browser: text for a bug report. */
  readonly selfTest: string;
  readonly model: ModelInfo;
}

/** The manifest without tensors and shards. */
export interface ModelInfo extends Pick<
  Manifest,
  'name' | 'description' | 'attribution' | 'examples' | 'config' | 'specialTokens' | 'imageTokenizer' | 'producer'
> {
  /** The manifest's address; `local:…` of a model that was opened from files; '' where such a model was not stored. */
  readonly url: string;
  /** Bytes of each part; a model without `imageEncoder` cannot read pictures. */
  readonly components: Readonly<Partial<Record<ComponentName, number>>>;
}

/** A model in this browser's storage. */
export interface StoredModel {
  /** What `deleteModel` and `Rudolph.load` take: the manifest's address, or `local:…` of a model that was opened from files. */
  readonly url: string;
  readonly name: string;
  /** Where it came from: an address, a folder of a converted model, or upstream's files, converted here. */
  readonly source: 'url' | 'folder' | 'checkpoint';
  /** Bytes of all its shards. */
  readonly byteLength: number;
  /** Bytes of those that are stored; parts that no task has needed yet are not. */
  readonly storedBytes: number;
  /** When it was last opened. */
  readonly savedAt: Date;
}

export interface WorkerLoadOptions {
  readonly variants?: VariantChoice;
  readonly convert?: ConvertSettings;
  readonly store?: boolean;
}

/** An error is a value here: what Comlink throws loses its class on the way. */
export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: PlainError };

/** What a load tells, and whatever fetches parts of the model later. */
export type LoadEvent = { readonly type: 'progress'; readonly progress: LoadProgress } | NoticeEvent;

/** What the worker offers over Comlink. Callbacks come as Comlink proxies. */
export interface WorkerApi {
  /** `onEvent` is also called when a later task fetches a part that only it needs. */
  load(
    from: string | readonly ModelFile[],
    options: WorkerLoadOptions,
    onEvent: (event: LoadEvent) => void,
  ): Promise<Reply<RudolphInfo>>;
  /** Queues a task; its events arrive before its reply. `id` is the caller's, for `abort`. */
  start<T extends TaskName>(
    id: number,
    task: T,
    args: TaskTypes[T]['args'],
    onEvent: (event: TaskTypes[T]['event']) => void,
  ): Promise<Reply<TaskTypes[T]['result']>>;
  /** Also ends a task that still waits. Without effect on one that is over. */
  abort(id: number): void;
  /** Takes a Web Lock for as long as the worker lives. False where there are none. */
  holdLock(name: string): Promise<boolean>;
  dispose(): Promise<void>;
  listModels(): Promise<Reply<readonly StoredModel[]>>;
  deleteModel(url: string): Promise<Reply<null>>;
  inspectFiles(files: readonly ModelFile[], settings: ConvertSettings): Promise<Reply<FilesReport>>;
}
