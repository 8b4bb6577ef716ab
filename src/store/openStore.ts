import type { UseStore } from 'idb-keyval';

/** A browser that has not opened a database by then will not (Safari now and then): better go on without storage. */
const OPEN_WITHIN_MS = 10_000;
/** So does one that has not written 16 MiB by then. */
const END_WITHIN_MS = 60_000;

/**
 * A database with one object store, in the form that idb-keyval takes. It is opened at first use, and anew after the browser
 * closed it, as it does when the site's data are cleared; then it may be empty. Who wants to delete the database is let through.
 *
 * idb-keyval's own `createStore` would keep a deletion waiting, and wait for ever for a database that does not open.
 * @param limits in milliseconds, for tests
 */
export function openStore(
  database: string,
  storeName: string,
  { open: openWithinMs = OPEN_WITHIN_MS, end: endWithinMs = END_WITHIN_MS } = {},
): UseStore {
  let opening: Promise<Connection> | undefined;
  const forget = (): void => {
    opening = undefined;
  };
  const begin = async (mode: IDBTransactionMode): Promise<[IDBTransaction, AbortSignal]> => {
    opening ??= connect(database, storeName, openWithinMs, forget);
    const { database: open, gone } = await opening;
    return [open.transaction(storeName, mode), gone];
  };
  return async (mode, callback) => {
    let began: [IDBTransaction, AbortSignal];
    try {
      began = await begin(mode);
    } catch (error) {
      forget();
      // The connection is closed, and the event that would have said so is still on its way.
      if (!(error instanceof DOMException) || error.name !== 'InvalidStateError') throw error;
      began = await begin(mode);
    }
    const [transaction, gone] = began;
    return inTime(Promise.resolve(callback(transaction.objectStore(storeName))), endWithinMs, database, gone);
  };
}

interface Connection {
  readonly database: IDBDatabase;
  /** Aborted when the browser closes the database. */
  readonly gone: AbortSignal;
}

function connect(name: string, storeName: string, withinMs: number, onGone: () => void): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new DOMException(`the database ${name} did not open within ${withinMs / 1000} s`, 'TimeoutError'));
    }, withinMs);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(storeName));
    request.addEventListener('error', () => {
      clearTimeout(timer);
      reject(request.error ?? new DOMException(`the database ${name} did not open`, 'UnknownError'));
    });
    request.addEventListener('success', () => {
      clearTimeout(timer);
      const database = request.result;
      const closed = new AbortController();
      database.addEventListener('close', () => {
        onGone();
        closed.abort(new DOMException(`the browser closed the database ${name}`, 'UnknownError'));
      });
      database.addEventListener('versionchange', () => {
        onGone();
        database.close(); // once what is under way has ended
      });
      if (late) database.close();
      else resolve({ database, gone: closed.signal });
    });
  });
}

/** Chromium (156) lets a transaction that writes neither complete nor abort when the site's data are cleared under it. */
function inTime<T>(work: Promise<T>, withinMs: number, name: string, gone: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(gone.reason as Error);
    const late = (): void =>
      reject(new DOMException(`the database ${name} did not answer within ${withinMs / 1000} s`, 'TimeoutError'));
    const timer = setTimeout(late, withinMs);
    gone.addEventListener('abort', end);
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      gone.removeEventListener('abort', end);
    });
  });
}

/**
 * Settles when a transaction has. (idb-keyval listens to the transaction's `error`, too, which comes before `abort`, when the reason is
 * not yet there: a full disk would be reported as null.)
 */
export function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void =>
      reject(transaction.error ?? new DOMException('the browser ended the transaction', 'UnknownError'));
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', fail);
  });
}
