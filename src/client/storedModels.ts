import type { StoredModel } from '../worker/api';
import { Connection } from './connection';
import { absolute, type LoadOptions } from './rudolph';

type WorkerOptions = Pick<LoadOptions, 'workerUrl'>;

/** The models in this browser's storage, which load without a network. Rejects with a RudolphError `storage`. */
export function listModels(options: WorkerOptions = {}): Promise<readonly StoredModel[]> {
  return withWorker(options, (connection) => connection.listModels());
}

/**
 * Removes a model from this browser's storage, save for what other stored models use as well. A model that is in use goes on
 * working. Rejects with a RudolphError `storage`.
 * @param url as given to `Rudolph.load`, or `StoredModel.url`.
 */
export async function deleteModel(url: string | URL, options: WorkerOptions = {}): Promise<void> {
  await withWorker(options, (connection) => connection.deleteModel(absolute(url)));
}

async function withWorker<T>({ workerUrl }: WorkerOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = new Connection(workerUrl);
  try {
    return await work(connection);
  } finally {
    connection.dispose(new DOMException('done', 'AbortError'));
  }
}
