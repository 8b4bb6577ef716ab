/** The browser's Web Locks, where there are any: not in Node, nor in sandboxed frames. */
export function webLocks(): LockManager | undefined {
  return typeof navigator === 'undefined' ? undefined : navigator.locks;
}

let last: Promise<unknown> = Promise.resolve();

/** Runs `work` while no other tab (without Web Locks: nobody else here) changes which shards are kept. */
export async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  const locks = webLocks();
  if (locks) return (await locks.request('rudolph-models', {}, work)) as T;
  const turn = last.then(work);
  last = turn.catch(() => undefined);
  return turn;
}
