import { get, set } from 'idb-keyval';
import { version } from '../../package.json';
import { openStore } from './openStore';

/** Texts by key. */
interface StoredPicks {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

/**
 * Which forms of kernels were the fastest on this computer's adapters, in a database of its own: with each version of the library anew, whose
 * forms may be others. Undefined where there is no IndexedDB.
 */
export function storedPicks(): StoredPicks | undefined {
  if (typeof indexedDB === 'undefined') return undefined;
  const store = openStore('rudolph-picks', 'picks');
  return {
    get: (key) => get(`${version} ${key}`, store),
    set: (key, value) => set(`${version} ${key}`, value, store),
  };
}
