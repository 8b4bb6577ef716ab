import type { CDPSession, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { type LibraryWindow, useLibraryPage } from './libraryPage';

/*
 * Load and dispose again and again in a real browser: JS heaps of page and worker after a garbage collection, and workers that are left.
 */
/** `npm run test:leaks` has 50. */
const ROUNDS = Number(process.env['RUDOLPH_ROUNDS'] ?? 3);
/** Bytes a round by which the page's heap may grow in the second half of many rounds. */
const GROWTH = 16 * 1024;

const library = useLibraryPage();

it(`${ROUNDS} rounds of load and dispose leak nothing`, { timeout: 120_000 + ROUNDS * 60_000 }, async () => {
  const { page, context } = library;
  const session = await context.newCDPSession(page);
  const workers = await workersOf(session);
  const heaps: { readonly page: number; readonly worker: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await page.evaluate(async (seed) => {
      const own = globalThis as unknown as LibraryWindow & { rudolph: unknown };
      const rudolph = await own.load();
      await rudolph.textToImage('красный круг', { seed });
      own.rudolph = rudolph;
    }, round);
    expect(workers.live()).toBe(1);
    const worker = await workers.heap();
    await page.evaluate(() => {
      const own = globalThis as unknown as { rudolph?: { dispose(): void } | undefined };
      own.rudolph!.dispose();
      own.rudolph = undefined;
    });
    await expect.poll(() => workers.live(), { timeout: 20_000 }).toBe(0);
    heaps.push({ page: await heapOf(session), worker });
  }
  const half = Math.floor(ROUNDS / 2);
  const growth = (of: 'page' | 'worker'): number => (heaps.at(-1)![of] - heaps[half]![of]) / (ROUNDS - 1 - half);
  const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2);
  console.log(
    `${ROUNDS} rounds: heap of the page ${megabytes(heaps[0]!.page)} → ${megabytes(heaps.at(-1)!.page)} MiB, ${growth('page').toFixed(0)} bytes a round in the second half; ` +
      `of the worker, loaded, ${megabytes(heaps[0]!.worker)} → ${megabytes(heaps.at(-1)!.worker)} MiB; workers left: ${workers.live()}`,
  );
  // A new worker each time: none inherits anything.
  expect(Math.abs(heaps.at(-1)!.worker - heaps[0]!.worker)).toBeLessThan(2 ** 20);
  // In a few rounds code is still being compiled.
  if (ROUNDS >= 20) expect(growth('page')).toBeLessThan(GROWTH);
  await alive(page);
});

/** Used bytes after a garbage collection. */
async function heapOf(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

interface Workers {
  live(): number;
  /** Used bytes of the newest one after a garbage collection. */
  heap(): Promise<number>;
}

/** The page's workers, with sessions of their own. */
async function workersOf(session: CDPSession): Promise<Workers> {
  const attached: string[] = [];
  const answers = new Map<number, (result: { usedSize: number }) => void>();
  let last = 0;
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') attached.push(sessionId);
  });
  session.on('Target.detachedFromTarget', ({ sessionId }) => {
    const place = attached.indexOf(sessionId);
    if (place >= 0) attached.splice(place, 1);
  });
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message) as { id: number; result: { usedSize: number } };
    answers.get(id)?.(result);
  });
  await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const ask = (method: string): Promise<{ usedSize: number }> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      answers.set(id, resolve);
      const message = JSON.stringify({ id, method });
      session.send('Target.sendMessageToTarget', { sessionId: attached.at(-1)!, message }).catch(reject);
    });
  return {
    live: () => attached.length,
    heap: async () => {
      await ask('HeapProfiler.collectGarbage');
      return (await ask('Runtime.getHeapUsage')).usedSize;
    },
  };
}

/** After all rounds the page can still do its work. */
async function alive(page: Page): Promise<void> {
  const images = await page.evaluate(async () => {
    const own = globalThis as unknown as LibraryWindow;
    const rudolph = await own.load();
    const { images } = await rudolph.textToImage('красный круг', { seed: 1 });
    rudolph.dispose();
    return images.length;
  });
  expect(images).toBe(1);
}
