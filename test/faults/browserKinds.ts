import type { Page } from 'playwright-core';
import { webModel } from '../support/webModel';
import { type BrowserWorld, SHARD_BYTES } from './browserWorld';
import type { Kind } from './suite';

/** Reads until a moment at which the download may be anywhere, does something, and gives what came of the read. */
async function meanwhile(world: BrowserWorld, page: Page, happens: () => Promise<unknown>) {
  const { host, random } = world;
  const moment = host.whenSent(host.sent + random.whole(1, world.bytesOf()));
  const reading = world.read(page);
  await Promise.race([moment, reading]);
  await happens();
  return reading;
}

/** The read may be over before the end comes: then nothing answers it any more. */
const orEnded = <T>(work: Promise<T>, milliseconds = 50): Promise<T | null> =>
  Promise.race([work, new Promise<null>((resolve) => setTimeout(() => resolve(null), milliseconds))]);

async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  session.send('Page.crash').catch(() => undefined); // nothing is left to answer
  await crashed;
}

async function setQuota(world: BrowserWorld, page: Page, quotaSize?: number): Promise<void> {
  const session = await world.context.newCDPSession(page);
  const origin = new URL(world.host.url).origin;
  await session.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize === undefined ? {} : { quotaSize }) });
}

/** Ends something in the middle of a read, some times in a row, and counts what is fetched again. */
async function interrupted(world: BrowserWorld, end: (page: Page) => Promise<unknown>): Promise<void> {
  const ends = world.random.whole(1, 2);
  let page = await world.newPage();
  for (let i = 0; i < ends; i++) {
    const moment = world.host.whenSent(world.host.sent + world.random.whole(1, world.bytesOf() / 2));
    const reading = world.read(page);
    await Promise.race([moment, reading]);
    await end(page);
    await orEnded(reading);
    page = await world.newPage();
  }
  const { loaded } = world;
  const sent = world.host.sent;
  await world.mustRead(page);
  expectResumed(world, { loaded, sent, shardBytes: SHARD_BYTES, bytes: world.bytesOf() });
}

/** After `loaded` of a model's bytes had come, at most one shard was fetched again. */
function expectResumed(
  world: BrowserWorld,
  { loaded, sent, shardBytes, bytes }: { loaded: number; sent: number; shardBytes: number; bytes: number },
): void {
  const manifest = 4096;
  const again = world.host.sent - sent - (bytes - loaded);
  world.expect(again <= shardBytes + manifest, `${again} bytes were fetched again`);
}

/** The store alone, in workers of pages. */
const STORE: readonly Kind<BrowserWorld>[] = [
  {
    name: 'Chromium: worker ended',
    rounds: 20,
    run: (world) => interrupted(world, (page) => page.evaluate(() => window.faults.end('worker'))),
  },
  {
    name: 'Chromium: page closed',
    rounds: 12,
    run: (world) => interrupted(world, (page) => page.close()),
  },
  {
    name: 'Chromium: page crashed',
    rounds: 10,
    run: (world) => interrupted(world, crash),
  },
  {
    name: 'Chromium: browser killed',
    rounds: 8,
    async run(world) {
      await world.startKillable();
      for (let i = world.random.whole(1, 2); i > 0; i--) {
        const page = await world.newPage();
        await orEnded(
          meanwhile(world, page, () => world.killBrowser()),
          10_000,
        );
      }
    },
  },
  {
    name: 'Chromium: two pages',
    rounds: 12,
    async run(world) {
      const [one, two] = [await world.newPage(), await world.newPage()];
      const dies = world.random.chance(0.5);
      const first = dies
        ? orEnded(
            meanwhile(world, one, () => one.close()),
            60_000,
          )
        : world.read(one);
      const [, second] = await Promise.all([first, world.read(two)]);
      world.expectRead(second);
      if (!dies) world.expectRead(await first);
      const again = world.host.sent - world.bytesOf() - 2 * 4096;
      world.expect(dies || again <= 0, `${again} bytes were fetched twice`);
    },
  },
  {
    name: 'Chromium: no room',
    rounds: 12,
    async run(world) {
      const page = await world.newPage();
      await setQuota(world, page, world.random.whole(1, world.bytesOf()));
      const result = await world.read(page);
      world.expectRead(result);
      const told = result?.notices.includes('storage-full') ?? false;
      world.expect(told, `nobody was told that there is no room: ${result?.notices.join(', ')}`);
      await world.checkStorage(page);
      await setQuota(world, page);
    },
  },
  {
    name: 'Chromium: site data cleared while loading',
    rounds: 10,
    async run(world) {
      const page = await world.newPage();
      const session = await world.context.newCDPSession(page);
      const origin = new URL(world.host.url).origin;
      const result = await meanwhile(world, page, () =>
        session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' }),
      );
      world.expectRead(result);
    },
  },
  {
    name: 'Chromium: deleted while loading',
    rounds: 10,
    async run(world) {
      const [one, two] = [await world.newPage(), await world.newPage()];
      const url = world.urlOf('model');
      const remove = (): Promise<void> => two.evaluate((model) => window.faults.remove('other', model), url);
      world.expectRead(await meanwhile(world, one, remove));
      await remove();
      const { keys } = await two.evaluate(() => window.faults.scan());
      world.expect(keys.length === 0, `${keys.length} values are stored of a model that was deleted`);
    },
  },
  {
    name: 'Chromium: damaged in storage',
    rounds: 8,
    async run(world) {
      const page = await world.newPage();
      await world.mustRead(page);
      world.damages = true;
      const positions = Array.from({ length: 5 }, () => (world.random.chance(0.5) ? world.random.whole(0, 1e6) : null));
      await page.evaluate((list) => window.faults.damage(list), positions);
      await world.mustRead(page);
      await world.checkStorage(page);
    },
  },
  {
    name: 'Chromium: a line that cuts and flips',
    rounds: 8,
    async run(world) {
      const { random, host } = world;
      for (const name of world.random.some([...world.model.files.keys()].filter((file) => file.endsWith('.bin')))) {
        const at = random.whole(0, SHARD_BYTES);
        const fault = random.pick(['cut', 'flip', 'drop'] as const);
        host.faults.set(`model/${name}`, [fault === 'drop' ? { type: 'drop' } : { type: fault, at }]);
      }
      world.expectRead(await world.read(await world.newPage()));
    },
  },
  {
    name: 'Chromium: ended at full size',
    rounds: 2,
    async run(world) {
      // Shards of 16 MiB, kept as the library does it.
      const { host, random } = world;
      const full = 16 * 1024 * 1024;
      const transformer = Array.from({ length: 5 }, () => random.bytes(full));
      const model = await webModel('full', { tokenizer: [random.bytes(4096)], transformer });
      host.serve('full', model.files);
      host.bytesPerMillisecond = 10_000;
      const page = await world.newPage();
      const moment = host.whenSent(random.whole(full, 4 * full));
      const reading = world.readFrom('full', page, 'worker', {});
      await Promise.race([moment, reading]);
      await page.evaluate(() => window.faults.end('worker'));
      await orEnded(reading);
      const { loaded } = world;
      const { sent } = host;
      const result = await world.readFrom('full', page, 'worker', {});
      world.expect(result?.problem === null, `a read failed: ${result?.problem?.message}`);
      expectResumed(world, { loaded, sent, shardBytes: full, bytes: world.bytesOf(model.files) });
    },
  },
];

/** The whole library, whose drawings have to have the stored tokens. (`npm run test:losses` loses the device a thousand times more.) */
const ENGINE: readonly Kind<BrowserWorld>[] = [
  {
    name: 'Chromium: engine ended while loading',
    rounds: 4,
    async run(world) {
      world.checksEngine = true;
      const { host, random } = world;
      host.bytesPerMillisecond = 2000;
      const page = await world.newPage();
      const moment = host.whenSent(random.whole(1, 2_000_000));
      const drawing = world.draw(page);
      await Promise.race([moment, drawing]);
      await page.evaluate(() => window.faults.endEngines());
      const { problem } = await drawing;
      world.expect(problem === null || problem.code === 'worker', `the load ended with ${problem?.message}`);
    },
  },
  {
    name: 'Chromium: engine in a page that crashed',
    rounds: 2,
    async run(world) {
      world.checksEngine = true;
      const page = await world.newPage();
      const drawing = world.draw(page).catch(() => null);
      await world.host.whenSent(world.random.whole(1, 1_000_000));
      await crash(page);
      await orEnded(drawing);
    },
  },
  {
    name: 'Chromium: graphics process crashed',
    rounds: 2, // after three crashes within some minutes, Chromium has no adapter any more
    async run(world) {
      world.checksEngine = true;
      const { host, random } = world;
      const page = await world.newPage();
      const session = await world.context.browser()!.newBrowserCDPSession();
      // Anywhere from the first shards to the last token: both a load and a drawing go on.
      const moment = host.whenSent(random.whole(1, 2_000_000));
      const drawing = world.mustDraw(page);
      await Promise.race([moment, drawing]);
      await new Promise((resolve) => setTimeout(resolve, random.whole(0, 2000)));
      await session.send('Browser.crashGpuProcess').catch(() => undefined);
      await drawing;
      await session.detach();
    },
  },
];

export const BROWSER_KINDS: readonly Kind<BrowserWorld>[] = [...STORE, ...ENGINE];
