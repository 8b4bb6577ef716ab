import type { PlainError } from '../errors';
import type { ComponentName, Manifest } from '../format/manifest';
import type { AdapterDescription, VariantChoice, Variants } from '../gpu/variants';
import type { TaskName, TaskTypes } from '../tasks/types';

/** How far a load has come. */
export interface LoadProgress {
  /** `manifest`: it is being fetched; `download`: weights come in and go to the GPU; `compile`: kernels are made. */
  readonly stage: 'manifest' | 'download' | 'compile';
  readonly loadedBytes: number;
  /** 0 while the manifest is not there yet. */
  readonly totalBytes: number;
  /** Whether everything so far came from this browser's storage. */
  readonly fromCache: boolean;
}

/** What is known about a loaded model and about what it runs on. */
export interface RudolphInfo {
  readonly adapter: AdapterDescription;
  /** Which optional kernel variants are in use. */
  readonly variants: Variants;
  readonly model: ModelInfo;
}

/** The manifest without tensors and shards. */
export interface ModelInfo extends Pick<
  Manifest,
  'name' | 'description' | 'attribution' | 'examples' | 'config' | 'specialTokens' | 'imageTokenizer' | 'producer'
> {
  /** The manifest's address. */
  readonly url: string;
  /** Bytes of each part; a model without `imageEncoder` cannot read pictures. */
  readonly components: Readonly<Partial<Record<ComponentName, number>>>;
}

/** A model in this browser's storage. */
export interface StoredModel {
  /** The manifest's address: what `deleteModel` and `Rudolph.load` take. */
  readonly url: string;
  readonly name: string;
  /** Bytes of all its shards. */
  readonly byteLength: number;
  /** Bytes of those that are stored; parts that no task has needed yet are not. */
  readonly storedBytes: number;
  /** When it was last opened from the network. */
  readonly savedAt: Date;
}

export interface WorkerLoadOptions {
  readonly variants?: VariantChoice;
}

/** An error is a value here: what Comlink throws loses its class on the way. */
export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: PlainError };

/** `notice`: something the user should know, e.g. that the model could not be stored. */
export type LoadEvent =
  | { readonly type: 'progress'; readonly progress: LoadProgress }
  | { readonly type: 'notice'; readonly message: string };

/** What the worker offers over Comlink. Callbacks come as Comlink proxies. */
export interface WorkerApi {
  /** `onEvent` is also called when a later task fetches a part that only it needs. */
  load(url: string, options: WorkerLoadOptions, onEvent: (event: LoadEvent) => void): Promise<Reply<RudolphInfo>>;
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
}
