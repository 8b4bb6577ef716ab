import { readFileSync } from 'node:fs';
import type { Locator, Page, Request } from 'playwright-core';
import { beforeEach, expect, it } from 'vitest';
import { FOLDER } from '../convert/tiny';
import type { Site } from './site';
import { giveFiles, LONG, READY, SOON, useTinyPage } from './tinyPage';

/*
 * The page as an app: installed, without a network, in a new version; links, history and stored models.
 */
const tiny = useTinyPage({
  viewport: { width: 1100, height: 900 },
  locale: 'ru-RU',
  permissions: ['clipboard-read', 'clipboard-write'],
});
let site: Site;
let page: Page;
beforeEach(() => {
  ({ site, page } = tiny);
});

const ready = (of = page) => of.locator(READY).waitFor(LONG);
const drawn = () => page.locator('.run[data-state=done]').first().waitFor(LONG);

async function openReady(hash = ''): Promise<void> {
  await page.goto(`${site.address('tiny')}${hash}`);
  await ready();
}

async function draw(prompt: string, seed?: string): Promise<void> {
  await page.fill('#draw-prompt', prompt);
  if (seed !== undefined) await page.fill('#draw-seed', seed);
  await page.click('#draw-button');
}

/** A file's pixels are read, for which the encoder is needed. */
async function describe(): Promise<void> {
  await giveFiles(page, 'drop', 'image0.png');
  await page.locator('#caption-output .text-list li').first().waitFor(LONG);
}

/** The page's service worker has everything that it keeps. */
async function kept(): Promise<void> {
  await expect
    .poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state), {
      timeout: 60_000,
    })
    .toBe('activated');
}

const firstPicture = (of = page) =>
  of
    .locator('.run canvas.picture')
    .first()
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());

const clipboard = () => page.evaluate(() => navigator.clipboard.readText());

it('can be installed: a manifest with icons of the right sizes, one to be cut to any shape', async () => {
  await page.goto(site.home);
  const manifest = (await page.evaluate(async () => {
    const { href } = document.querySelector<HTMLLinkElement>('link[rel=manifest]')!;
    return (await fetch(href)).json();
  })) as {
    icons: { src: string; sizes: string; type: string; purpose?: string }[];
    display: string;
    start_url: string;
  };
  expect(manifest.display).toBe('standalone');
  expect(manifest.start_url).toBe('./');
  expect(manifest.icons.filter(({ purpose }) => purpose === 'maskable')).toHaveLength(1);
  for (const { src, sizes, type } of manifest.icons.filter(({ sizes }) => sizes !== 'any')) {
    const size = await page.evaluate(async (url) => {
      const response = await fetch(url);
      const { width, height } = await createImageBitmap(await response.blob());
      return [response.headers.get('content-type'), `${width}x${height}`];
    }, src);
    expect(size, src).toEqual([type, sizes]);
  }
  // What Chromium itself misses for an installation.
  const session = await tiny.context.newCDPSession(page);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  // Windows without a trace refuse every app.
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito')).toEqual([]);
});

it('opens, draws and describes without a network after one visit, without a single request; shards are kept once', async () => {
  await openReady();
  await describe();
  await kept();
  const cached = await page.evaluate(async () => {
    const requests = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
    return requests.flat().map(({ url }) => new URL(url).pathname);
  });
  expect(cached).toContain('/index.html');
  expect(cached.filter((path) => path.startsWith('/models/'))).toEqual([]);
  await tiny.context.setOffline(true);
  site.fail('off');
  // Every attempt of the page, its worker and its service worker, whatever came of it, but for those that the service worker answered.
  const requests: string[] = [];
  const note = (request: Request): void => {
    if (request.url().startsWith('http')) requests.push(request.url());
  };
  tiny.context.on('requestfailed', note);
  tiny.context.on('response', (response) => !response.fromServiceWorker() && note(response.request()));
  await page.reload();
  await ready();
  await page.click('#tab-draw');
  await draw('красный круг', '7');
  await drawn();
  await describe();
  expect(await page.evaluate(() => [...document.fonts].map(({ status }) => status))).toEqual(['loaded', 'loaded']);
  expect(requests).toEqual([]);
});

/** The page, kept for visits without a network, and told that there is a new version of it. @returns what only the new version has */
async function openRenewed(): Promise<Locator> {
  await openReady();
  await kept();
  await page.reload();
  await ready();
  expect(await page.locator('#update').count()).toBe(0);
  const mark = site.renew();
  await page.evaluate(async () => void (await (await navigator.serviceWorker.getRegistration())!.update()));
  await page.locator('#update').waitFor(LONG);
  return page.locator(mark);
}

/**
 * The new version comes. A request that comes in the moment in which the old service worker is stopped starts it anew, and with developer
 * tools, which a test is, Chromium then keeps it for five minutes.
 */
const comes = (renewed: Locator) => renewed.waitFor({ timeout: 330_000, state: 'attached' });

it('offers a new version, and lets a drawing end before it takes over', { timeout: 600_000 }, async () => {
  const renewed = await openRenewed();
  await page.locator('#draw-count label', { hasText: '4' }).click();
  await draw('красный круг', '7');
  await page.locator('.run[data-state=running]').waitFor();
  await page.getByRole('button', { name: 'Обновить' }).click();
  expect(await page.locator('#update p').textContent()).toContain('как только закончится');
  expect(await renewed.count()).toBe(0);
  await comes(renewed);
  // The form is as it was, and what was drawn is in the history.
  expect(await page.inputValue('#draw-prompt')).toBe('красный круг');
  expect(await page.inputValue('#draw-seed')).toBe('7');
  await expect.poll(() => page.locator('.history-count').textContent(), SOON).toBe('1');
  await page.click('#history summary');
  expect(await page.locator('.history-several').textContent(), 'all four of them').toBe('×4');
  expect(await page.locator('#update').count()).toBe(0);
});

it(
  'stays usable while the browser holds the old version, and changes when it lets go',
  { timeout: 600_000 },
  async () => {
    const renewed = await openRenewed();
    // A request that the old version has not answered yet: what it kept is gone, and the host is slow.
    const release = site.hold('/icon.svg');
    await page.evaluate(async () => {
      for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const kept of await cache.keys()) if (kept.url.includes('/icon.svg')) await cache.delete(kept);
      }
      void fetch('./icon.svg').then((answer) => answer.text());
    });
    await page.getByRole('button', { name: 'Обновить' }).click();
    await expect.poll(() => page.locator('#update p').textContent(), SOON).toContain('ещё не отпустил');
    await draw('синий круг', '8');
    await drawn();
    expect(await renewed.count()).toBe(0);
    release();
    await comes(renewed);
    expect(await page.inputValue('#draw-prompt')).toBe('синий круг');
    await expect.poll(() => page.locator('.history-count').textContent(), SOON).toBe('1');
  },
);

it('links to a drawing: the form is filled in, nothing starts, and the picture is the same', async () => {
  await openReady();
  await page.click('#draw-form summary');
  await page.fill('#draw-top-k', '100');
  await draw('красный круг & «кот» #2');
  await drawn();
  const first = await firstPicture();
  expect(await page.locator('.run .speed').textContent()).toMatch(/^([\d,\u00a0]+ токенов\/с)?$/);
  await page.locator('.run').getByRole('button', { name: 'Ссылка' }).click();
  await page.getByText('Скопировано', { exact: true }).first().waitFor();
  const link = await clipboard();
  expect(link).toContain('?model=models/tiny/#draw?');

  const other = await tiny.context.newPage();
  await other.goto(link);
  await ready(other);
  expect(await other.inputValue('#draw-prompt')).toBe('красный круг & «кот» #2');
  expect(await other.inputValue('#draw-top-k')).toBe('100');
  expect(await other.inputValue('#draw-seed')).toMatch(/^\d+$/);
  expect(await other.locator('.run').count()).toBe(0);
  await other.click('#draw-button');
  await other.locator('.run[data-state=done]').waitFor(LONG);
  expect(await firstPicture(other)).toBe(first);
});

it('takes links to other tasks, forgets what they do not name, and ignores what makes no sense', async () => {
  await page.goto(site.address('tiny'));
  await page.fill('#draw-seed', '5');
  await page.evaluate(() => {
    location.hash = '#draw?prompt=кот&count=3&keep=2&nonsense=1&seed=%3Cb%3E';
  });
  await expect.poll(() => page.inputValue('#draw-prompt'), SOON).toBe('кот');
  expect(await page.inputValue('#draw-seed')).toBe('<b>');
  expect(await page.locator('#draw-count input:checked').inputValue()).toBe('1');
  expect(await page.locator('#draw-keep input:checked').inputValue()).toBe('2');
  await page.evaluate(() => {
    location.hash = '#answer?kind=maths&question=2 %2B 2';
  });
  await expect.poll(() => page.inputValue('#answer-question'), SOON).toBe('2 + 2');
  expect(await page.locator('#answer-kind input:checked').inputValue()).toBe('maths');
  await page.evaluate(() => {
    location.hash = '#classify?classes=круг,квадрат';
  });
  await expect.poll(() => page.locator('.chip-item').allTextContents(), SOON).toEqual(['круг', 'квадрат']);
  await page.evaluate(() => {
    location.hash = '#draw?prompt=лиса';
  });
  await expect.poll(() => page.inputValue('#draw-prompt'), SOON).toBe('лиса');
  expect(await page.inputValue('#draw-seed')).toBe('');
  // Back to where a link has been: what was written since stays.
  await page.fill('#draw-prompt', 'другое');
  await page.click('#tab-caption');
  await page.goBack();
  expect(await page.inputValue('#draw-prompt')).toBe('другое');
});

it('keeps drawings and answers, shows them again after a reload, and deletes them', async () => {
  await openReady();
  expect(await page.locator('#history').isHidden()).toBe(true);
  await draw('красный круг', '7');
  await drawn();
  const first = await firstPicture();
  await describe();
  const captions = await page.locator('#caption-output .text').allTextContents();
  await expect.poll(() => page.locator('.history-count').textContent(), SOON).toBe('2');

  await page.goto(site.address('tiny'));
  await page.click('#history summary');
  const tiles = page.locator('.history-open');
  expect(await tiles.count()).toBe(2);
  await tiles.first().click();
  await expect.poll(() => page.locator('#caption-output .text').allTextContents(), SOON).toEqual(captions);
  expect(await page.locator('#panel-caption .chosen .thumb').getAttribute('title')).toBe('image0.png');
  await tiles.last().click();
  await page.locator('#panel-draw .run[data-state=done]').waitFor();
  expect(await firstPicture()).toBe(first);
  expect(await page.inputValue('#draw-seed')).toBe('7');
  // The same one is not shown twice.
  await tiles.last().click();
  expect(await page.locator('.run').count()).toBe(1);

  await page.locator('.history-item .tile-remove').last().click();
  expect(await tiles.count()).toBe(1);
  await page.getByRole('button', { name: 'Удалить всё' }).click();
  expect(await tiles.count()).toBe(1);
  await page.getByRole('button', { name: 'Точно?' }).click();
  await page.locator('#history').waitFor({ state: 'hidden' });
  await page.reload();
  await ready();
  expect(await page.locator('#history').isHidden()).toBe(true);
});

it('draws all the same where nothing can be stored', async () => {
  await page.addInitScript(() => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  await openReady();
  await draw('красный круг');
  await drawn();
  await expect.poll(() => page.locator('.history-count').textContent(), SOON).toBe('1');
});

it('lists the models of this browser, deletes one, and opens another by its address', async () => {
  await openReady();
  const items = page.locator('.model-list li');
  await expect.poll(() => items.count(), SOON).toBe(1);
  expect(await items.textContent()).toMatch(/открыта.*(КБ|МБ)/s);
  expect(await page.locator('#models .hint').first().textContent()).toMatch(/занимает .* свободно/);
  await items.getByRole('button').click();
  await items.getByRole('button', { name: 'Точно?' }).click();
  await items.waitFor({ state: 'detached' });

  await page.fill('#models-url', 'javascript:alert(1)');
  await page.click('#models-open button');
  expect(await page.locator('#models-open [role=alert]').textContent()).toContain('https');
  await page.fill('#models-url', 'models/tiny');
  await page.keyboard.press('Enter');
  await page.waitForURL(/model=http.*tiny/);
  await ready();
  await expect.poll(() => items.count(), SOON).toBe(1);
});

it('has nothing serious for axe in history and models, and fits a phone', async () => {
  await openReady();
  await page.click('[data-language=en]');
  await draw('красный круг', '7');
  await drawn();
  await page.click('#history summary');
  await page.locator('.history-thumb canvas').waitFor();
  // What files of a model make, with all that can be told of them.
  await page.setInputFiles(
    '#own-files',
    ['pytorch_model.bin', 'vqgan.ckpt', 'bpe.model', 'config.json', 'image0.png'].map((name) => `${FOLDER}/${name}`),
  );
  await page.locator('#own-open').waitFor(LONG);
  await page.locator('.own-report summary').click();
  await page.evaluate(readFileSync('node_modules/axe-core/axe.min.js', 'utf8'));
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    });
    expect(found, colorScheme).toEqual([]);
    for (const width of [1440, 820, 390]) {
      await page.setViewportSize({ width, height: 900 });
      const tooWide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(tooWide, `${width} pixels`).toBe(0);
      const folder = process.env['SCREENSHOTS'];
      if (folder) await page.screenshot({ path: `${folder}/${colorScheme}-${width}.png`, fullPage: true });
    }
  }
});
