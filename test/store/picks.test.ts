// oxlint-disable-next-line import/no-unassigned-import -- it defines indexedDB
import 'fake-indexeddb/auto';
import { keys } from 'idb-keyval';
import { afterEach, expect, test, vi } from 'vitest';
import { version } from '../../package.json';
import { openStore } from '../../src/store/openStore';
import { storedPicks } from '../../src/store/picks';

afterEach(() => void vi.unstubAllGlobals());

test('what was picked is there at the next visit, for this version of the library', async () => {
  await storedPicks()!.set('an adapter: 8 rows', '{"ROWS":8}');
  expect(await storedPicks()!.get('an adapter: 8 rows')).toBe('{"ROWS":8}');
  expect(await storedPicks()!.get('an adapter: 9 rows')).toBeUndefined();
  expect(await keys(openStore('rudolph-picks', 'picks'))).toEqual([`${version} an adapter: 8 rows`]);
});

test('nothing is opened before something is asked for: software adapters pick nothing', async () => {
  const open = vi.spyOn(indexedDB, 'open');
  const picks = storedPicks()!;
  expect(open).not.toHaveBeenCalled();
  await picks.get('an adapter: 8 rows');
  expect(open).toHaveBeenCalledOnce();
});

test('without IndexedDB there are none', () => {
  vi.stubGlobal('indexedDB', undefined);
  expect(storedPicks()).toBeUndefined();
});
