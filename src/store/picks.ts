import { get, set } from 'idb-keyval';
import { version } from '../../package.json';
import { openStore } from './openStore';

/**
 * Which forms of kernels were the fastest on this computer's adapters, in a database of its own: with each version of the library anew, whose
 * forms may be others. `Picks` of src/gpu/tiles.ts; undefined where there is no IndexedDB.
 */
export function storedPicks() {
  if (typeof indexedDB === 'undefined') return undefined;
  const store = openStore('rudolph-picks', 'picks');
  return {
    get: (key: string) => get<string>(`${version} ${key}`, store),
    set: (key: string, value: string) => set(`${version} ${key}`, value, store),
  };
}
