import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { type LibraryPage, type LibraryWindow, useLibraryPage } from './libraryPage';

/*
 * Lost devices, dead workers and stopped calls in a real browser: the built library with the tiny reference model.
 */
const library: LibraryPage = useLibraryPage();
let page: Page;
beforeEach(() => {
  ({ page } = library);
});

interface Drawn {
  readonly codebooks: readonly (readonly number[])[];
  readonly notices: readonly string[];
  /** Tokens that there were when the harm was done. */
  readonly harmedAt: number;
}

/** Draws on a fresh handle; at the first tokens of three pictures `harm` is called. */
function draw(harm: string | null): Promise<Drawn> {
  return page.evaluate(async (name): Promise<Drawn> => {
    const own = globalThis as unknown as LibraryWindow & Record<string, () => Promise<void>>;
    const rudolph = await own.load();
    const notices: string[] = [];
    let harmedAt = 0;
    const task = rudolph.textToImage('красный круг', { count: 3, seed: 7 });
    for await (const event of task) {
      if (event.type === 'notice') notices.push(event.code);
      if (event.type !== 'progress' || event.stage !== 'tokens' || harmedAt > 0 || name === null) continue;
      harmedAt = event.done;
      await own[name]!();
    }
    const { codebooks } = await task;
    rudolph.dispose();
    return { codebooks, notices, harmedAt };
  }, harm);
}

describe('a device that is lost while pictures are drawn', () => {
  it('by device.destroy() inside the worker: the same pictures, and a notice', async () => {
    const expected = await draw(null);
    expect(expected.notices).not.toContain('device-restored');
    await page.evaluate(() => {
      const own = globalThis as unknown as LibraryWindow;
      Object.assign(globalThis, { lose: () => own.harm('destroy the device') });
    });
    library.host.takeRequests();
    const drawn = await draw('lose');
    expect(drawn.harmedAt).toBeGreaterThan(0);
    expect(drawn.codebooks).toEqual(expected.codebooks);
    expect(drawn.notices.filter((code) => code === 'device-restored')).toHaveLength(1);
    // Weights came from IndexedDB.
    expect(library.host.takeRequests().filter((path) => path.endsWith('.bin'))).toEqual([]);
  });

  it('by a crash of the GPU process: the same pictures, and a notice', async () => {
    const expected = await draw(null);
    const session = await library.browser.newBrowserCDPSession();
    await page.exposeFunction('crash', () => session.send('Browser.crashGpuProcess').catch(() => undefined));
    const drawn = await draw('crash');
    expect(drawn.harmedAt).toBeGreaterThan(0);
    expect(drawn.codebooks).toEqual(expected.codebooks);
    expect(drawn.notices.filter((code) => code === 'device-restored')).toHaveLength(1);
    await session.detach();
  });
});

describe('a worker that dies', () => {
  it.each(['throw', 'close'] as const)(
    'by %s: a typed error, and the next call works without the network',
    async (how) => {
      library.host.takeRequests();
      const result = await page.evaluate(async (what) => {
        const own = globalThis as unknown as LibraryWindow;
        const stages: string[] = [];
        const rudolph = await own.load({ onProgress: ({ stage }) => stages.push(stage) });
        const before = await rudolph.textToImage('красный круг', { seed: 7 });
        const task = rudolph.textToImage('красный круг', { seed: 7 });
        const waiting = rudolph.perplexity({ left: 'красный круг' });
        const failed = (error: unknown): object =>
          error instanceof own.lib.RudolphError
            ? { code: error.code, message: error.message }
            : { wrong: String(error) };
        const errors = [task.then(() => ({}), failed), waiting.then(() => ({}), failed)];
        for await (const event of task) if (event.type === 'progress') break;
        // Leaving the loop has cancelled it; so here is another one.
        const harmed = rudolph.textToImage('красный круг', { seed: 7 });
        errors[0] = harmed.then(() => ({}), failed);
        own.harm(what);
        const told = await Promise.all(errors);
        stages.length = 0;
        const [after, score] = await Promise.all([
          rudolph.textToImage('красный круг', { seed: 7 }),
          rudolph.perplexity({ left: 'красный круг' }),
        ]);
        rudolph.dispose();
        return { told, same: String(before.codebooks) === String(after.codebooks), score: score.left, stages };
      }, how);
      for (const error of result.told) expect(error).toMatchObject({ code: 'worker' });
      expect(result.told[0]).toMatchObject({
        message: expect.stringContaining(how === 'throw' ? 'out of luck' : 'ended the worker') as string,
      });
      expect(result.same).toBe(true);
      expect(result.score).toBeGreaterThan(1);
      // The model was loaded once more, in one worker for both calls, from storage.
      expect(result.stages).toContain('compile');
      const requests = library.host.takeRequests();
      expect(requests.filter((path) => path === '/harmed/worker.js')).toHaveLength(2);
      const shards = requests.filter((path) => path.endsWith('.bin'));
      expect(new Set(shards).size).toBe(shards.length);
    },
  );

  it('is not started again for a handle that was disposed of', async () => {
    const error = await page.evaluate(async () => {
      const own = globalThis as unknown as LibraryWindow;
      const rudolph = await own.load();
      own.harm('close');
      rudolph.dispose();
      return rudolph.textToImage('кот').then(
        () => 'none',
        (reason: unknown) => (reason as Error).message,
      );
    });
    expect(error).toBe('the model was disposed of');
  });
});

describe('a call that is stopped', () => {
  it.each(['prompt', 'tokens', 'pictures'] as const)(
    'at %s settles at once, and the next one is right',
    async (stage) => {
      const result = await page.evaluate(async (at) => {
        const own = globalThis as unknown as LibraryWindow;
        const rudolph = await own.load();
        const expected = await rudolph.textToImage('красный круг', { count: 2, seed: 7 });
        const controller = new AbortController();
        let aborted = 0;
        const task = rudolph.textToImage('красный круг', { count: 8, seed: 8, signal: controller.signal });
        const ended = task.then(
          () => 'finished',
          (error: unknown) => (error as Error).name,
        );
        for await (const event of task) {
          if (event.type !== 'progress' || event.stage !== at) continue;
          aborted = performance.now();
          controller.abort();
          break;
        }
        const how = await ended;
        const settled = performance.now() - aborted;
        // The worker is free again when it has an answer to something else.
        const score = await rudolph.perplexity({ left: 'кот' });
        const free = performance.now() - aborted;
        const again = await rudolph.textToImage('красный круг', { count: 2, seed: 7 });
        rudolph.dispose();
        const same = String(again.codebooks) === String(expected.codebooks);
        return { how, settled, free, score: score.left, same };
      }, stage);
      console.log(`stopped at ${stage}: ${result.settled.toFixed(0)} ms, an answer after ${result.free.toFixed(0)} ms`);
      expect(result.how).toBe('AbortError');
      expect(result.settled).toBeLessThan(200);
      expect(result.score).toBeGreaterThan(1);
      expect(result.same).toBe(true);
    },
  );

  it.each(['download', 'compile'] as const)(
    'while loading, at %s, settles at once, and the next load works',
    async (stage) => {
      const result = await page.evaluate(async (at) => {
        const own = globalThis as unknown as LibraryWindow;
        const controller = new AbortController();
        let aborted = 0;
        const ended = await own
          .load({
            signal: controller.signal,
            onProgress: (progress) => {
              if (progress.stage !== at || aborted > 0) return;
              aborted = performance.now();
              controller.abort();
            },
          })
          .then(
            () => 'loaded',
            (error: unknown) => (error as Error).name,
          );
        const settled = performance.now() - aborted;
        const rudolph = await own.load();
        const { images } = await rudolph.textToImage('красный круг', { seed: 7 });
        rudolph.dispose();
        return { ended, settled, images: images.length };
      }, stage);
      expect(result.ended).toBe('AbortError');
      expect(result.settled).toBeLessThan(200);
      expect(result.images).toBe(1);
    },
  );
});

describe('calls that come together', () => {
  it('on one handle: pictures in order, a score before pictures that wait', async () => {
    const order = await page.evaluate(async () => {
      const own = globalThis as unknown as LibraryWindow;
      const rudolph = await own.load();
      const ends: string[] = [];
      const note = (name: string) => () => void ends.push(name);
      await Promise.all([
        rudolph.textToImage('красный круг', { seed: 1 }).then(note('first picture')),
        rudolph.textToImage('красный круг', { seed: 2 }).then(note('second picture')),
        rudolph.textToImage('красный круг', { seed: 3 }).then(note('third picture')),
        rudolph.perplexity({ left: 'кот' }).then(note('score')),
      ]);
      rudolph.dispose();
      return ends;
    });
    expect(order).toEqual(['first picture', 'score', 'second picture', 'third picture']);
  });

  it('on two handles: both go on, neither waits for the other to end', async () => {
    const result = await page.evaluate(async () => {
      const own = globalThis as unknown as LibraryWindow;
      const handles = await Promise.all([own.load(), own.load()]);
      const told: number[] = [];
      const drawn = await Promise.all(
        handles.map(async (rudolph, n) => {
          const task = rudolph.textToImage('красный круг', { count: 4, seed: 7 });
          for await (const event of task) if (event.type === 'progress' && event.stage === 'tokens') told.push(n);
          return String((await task).codebooks);
        }),
      );
      for (const rudolph of handles) rudolph.dispose();
      return { told, drawn };
    });
    expect(result.drawn[0]).toBe(result.drawn[1]);
    // Each has told something before the other one was done.
    const [first, second] = [0, 1].map((n) => [result.told.indexOf(n), result.told.lastIndexOf(n)] as const);
    expect(Math.max(first![0], second![0])).toBeLessThan(Math.min(first![1], second![1]));
  });
});
