import { forceCloseDatabase, IDBFactory } from 'fake-indexeddb';
import { get, set } from 'idb-keyval';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { committed, openStore } from '../../src/store/openStore';

beforeEach(() => vi.stubGlobal('indexedDB', new IDBFactory()));
afterEach(() => vi.unstubAllGlobals());

/** The connections that are opened from now on. */
function spyOnConnections(): IDBDatabase[] {
  const connections: IDBDatabase[] = [];
  const open = indexedDB.open.bind(indexedDB);
  vi.spyOn(indexedDB, 'open').mockImplementation((name) => {
    const request = open(name);
    request.addEventListener('success', () => connections.push(request.result));
    return request;
  });
  return connections;
}

const remove = (name: string): Promise<string> =>
  new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve('deleted');
    request.onblocked = () => resolve('blocked');
  });

it('keeps values between connections', async () => {
  await set('a', 1, openStore('values', 'values'));
  expect(await get('a', openStore('values', 'values'))).toBe(1);
});

it('lets somebody delete the database, and starts anew in an empty one', async () => {
  const store = openStore('values', 'values');
  await set('a', 1, store);
  expect(await remove('values')).toBe('deleted');
  expect(await get('a', store)).toBeUndefined();
  await set('a', 2, store);
  expect(await get('a', store)).toBe(2);
});

it('opens the database once more after the browser closed it', async () => {
  const connections = spyOnConnections();
  const store = openStore('values', 'values');
  await set('a', 1, store);
  connections[0]!.close(); // and no event says so
  expect(await get('a', store)).toBe(1);
  expect(connections).toHaveLength(2);
});

it('does not wait for a database that never opens', async () => {
  vi.stubGlobal('indexedDB', { open: () => new EventTarget() });
  await expect(get('a', openStore('values', 'values', { open: 50 }))).rejects.toMatchObject({
    name: 'TimeoutError',
    message: expect.stringContaining('did not open within 0.05 s'),
  });
});

it('does not wait for a transaction that never ends', async () => {
  const store = openStore('values', 'values', { end: 50 });
  await expect(store('readonly', () => new Promise(() => undefined))).rejects.toMatchObject({ name: 'TimeoutError' });
});

it('does not wait for a transaction whose database the browser closed', async () => {
  const connections = spyOnConnections();
  const store = openStore('values', 'values');
  await set('a', 1, store);
  setTimeout(() => forceCloseDatabase(connections[0] as never), 20);
  await expect(store('readonly', () => new Promise(() => undefined))).rejects.toMatchObject({
    message: expect.stringContaining('closed the database'),
  });
  expect(await get('a', store)).toBe(1);
});

it('tells why a transaction was ended', async () => {
  const store = openStore('values', 'values');
  const ended = store('readwrite', (objects) => {
    objects.put(1, 'a');
    objects.transaction.abort();
    return committed(objects.transaction);
  });
  await expect(ended).rejects.toMatchObject({ message: expect.stringContaining('ended the transaction') });
  expect(await get('a', store)).toBeUndefined();
});
