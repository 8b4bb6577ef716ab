import { fromPlain, type RudolphError } from '../errors';
import type { ConvertSettings, FilesReport as WorkerReport, StoredModel } from '../worker/api';
import { Connection } from './connection';
import { modelFiles, type ModelFilesInput } from './modelFiles';
import { absolute, type LoadOptions } from './rudolph';

type WorkerOptions = Pick<LoadOptions, 'workerUrl'>;

/** What some files make together. */
export type FilesReport = Omit<WorkerReport, 'problem'> & {
  /** Why `Rudolph.load` would refuse the files; null when it would take them. */
  readonly problem: RudolphError | null;
};

/** The models in this browser's storage, which load without a network. Rejects with a RudolphError `storage`. */
export function listModels(options: WorkerOptions = {}): Promise<readonly StoredModel[]> {
  return withWorker(options, (connection) => connection.listModels());
}

/**
 * Removes a model from this browser's storage, save for what other stored models use as well. A model that is in use goes on
 * working, save for parts of a `local:…` one that no task has needed yet. Rejects with a RudolphError `storage`.
 * @param url as given to `Rudolph.load`, or `StoredModel.url`.
 */
export async function deleteModel(url: string | URL, options: WorkerOptions = {}): Promise<void> {
  await withWorker(options, (connection) => connection.deleteModel(absolute(url)));
}

/**
 * Says what files make together, without reading weights or storing anything: which is what, what is missing, whether they fit
 * together, and how much of this browser's storage they need.
 *
 * ```ts
 * const files = await modelFiles(event.dataTransfer!);
 * const { problem, missing } = await inspectFiles(files);
 * if (missing.length > 0) ask(missing); // then inspectFiles([...files, ...more])
 * else if (!problem) rudolph = await Rudolph.load(files);
 * ```
 * Never rejects for what is wrong with the files: that is `problem`.
 */
export async function inspectFiles(
  input: ModelFilesInput,
  options: WorkerOptions & { readonly convert?: ConvertSettings; readonly signal?: AbortSignal } = {},
): Promise<FilesReport> {
  options.signal?.throwIfAborted();
  const files = await modelFiles(input);
  const { problem, ...report } = await withWorker(options, (connection) =>
    connection.inspectFiles(files, options.convert ?? {}, options.signal),
  );
  return { ...report, problem: problem && (fromPlain(problem) as RudolphError) };
}

async function withWorker<T>({ workerUrl }: WorkerOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = new Connection(workerUrl);
  try {
    return await work(connection);
  } finally {
    connection.dispose(new DOMException('done', 'AbortError'));
  }
}
