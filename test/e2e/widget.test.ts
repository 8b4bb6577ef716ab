import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import type { RudolphWidget, WidgetResult } from '../../src/widget/api';
import { convertTiny, FOLDER } from '../convert/tiny';
import { launchBrowser } from '../support/browser';
import { type Host, startHost } from './hosts';

/*
 * <rudolph-widget> as it is published, on plain pages in a real browser, with the tiny reference model.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'";
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DRAW = '<rudolph-widget model="models/tiny/" prompt="красный круг" seed="7"></rudolph-widget>';
const CAPTION = '<rudolph-widget model="models/tiny/" task="caption" count="2"></rudolph-widget>';

let browser: Browser;
/** Serves the page and the model. */
let home: Host;
/** Serves the library to other sites. */
let elsewhere: Host;
let converted: ReadonlyMap<string, Uint8Array>;
let context: BrowserContext;
let page: Page;
/** Everything on the console. */
let messages: string[];
/** Addresses of the workers that were started. */
let workers: string[];

beforeAll(async () => {
  const [started, own, other, { files }] = await Promise.all([
    launchBrowser(),
    startHost(),
    startHost(),
    convertTiny(),
  ]);
  [browser, home, elsewhere, converted] = [started, own, other, files];
  for (const [name, bytes] of files) home.files.set(`/models/tiny/${name}`, bytes);
  home.folders.set('/lib/', inject('library'));
  elsewhere.folders.set('/lib/', inject('library'));
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([home?.close(), elsewhere?.close()]);
});

beforeEach(async () => {
  home.headers = {};
  elsewhere.headers = { 'access-control-allow-origin': '*' };
  messages = [];
  workers = [];
  context = await browser.newContext();
  page = await context.newPage();
  page.on('console', (message) => messages.push(message.text()));
  page.on('pageerror', (error) => messages.push(error.message));
  page.on('worker', (worker) => workers.push(worker.url()));
});
afterEach(() => context.close());

/** A plain page with a script and widgets. */
async function open(body: string, script = '/lib/widget.js', lang = 'ru'): Promise<void> {
  home.files.set(
    '/',
    `<!doctype html><html lang="${lang}"><title>A page</title><link rel="icon" href="data:,">
    <script type="module" src="${script}"></script><main><h1>A page</h1>${body}</main></html>`,
  );
  home.takeRequests();
  await page.goto(`${home.origin}/`);
  await page.waitForFunction(() => customElements.get('rudolph-widget'));
}

const widget = (k = 0) => page.locator('rudolph-widget').nth(k);
const button = (k = 0) => widget(k).locator('[part=button]');

/** Waits until a widget's run has ended, as it should. */
async function state(k: number, value: string): Promise<void> {
  const ended = page.locator('rudolph-widget:is([state=done], [state=stopped], [state=failed])').and(widget(k));
  await ended.waitFor({ timeout: 280_000 });
  const details = await widget(k).locator('[part=error] details').allTextContents();
  expect(await widget(k).getAttribute('state'), [...details, ...messages].join('\n')).toBe(value);
}

/** What axe finds serious. */
async function complaintsOfAxe(): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    interface Violation {
      id: string;
      impact: string;
      nodes: { html: string; failureSummary: string }[];
    }
    return (await axe.run()).violations
      .filter(({ impact }) => ['serious', 'critical'].includes(impact))
      .map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
      );
  });
}

it('loads nothing before the visitor starts, then draws, on a page with a strict policy and without a word on the console', async () => {
  home.headers = { 'content-security-policy': POLICY };
  await open(DRAW);
  expect(home.takeRequests()).toEqual(['/', '/lib/widget.js', '/lib/client.js']);
  expect(await complaintsOfAxe()).toEqual([]);
  expect(workers).toEqual([]);
  await page.evaluate(() => {
    const told = ((globalThis as unknown as { told: string[] }).told = [] as string[]);
    const element = document.querySelector('rudolph-widget') as RudolphWidget;
    element.addEventListener('progress', ({ detail }) => told.at(-1) !== detail.stage && told.push(detail.stage));
    element.addEventListener('result', ({ detail }) => told.push(`result of ${detail.task}`));
    element.addEventListener('error', ({ detail }) => told.push(detail.message));
  });
  await widget().locator('textarea').focus();
  await page.keyboard.press('Enter');
  await state(0, 'done');
  expect(workers).toEqual([`${home.origin}/lib/worker.js`]);
  const told = await page.evaluate(() => (globalThis as unknown as { told: string[] }).told);
  expect(told.filter((stage) => /^(download|compile|tokens|result)/.test(stage))).toEqual([
    'download',
    'compile',
    'tokens',
    'result of draw',
  ]);
  const { width, colours } = await widget()
    .locator('canvas.picture')
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return { width: canvas.width, colours: new Set(data).size };
    });
  expect(width).toBe(32);
  expect(colours, 'a blank canvas has one colour').toBeGreaterThan(5);
  expect(await widget().locator('[role=status]').textContent()).toBe('Готово');
  for (const colorScheme of ['light', 'dark']) {
    await page.evaluate((scheme) => {
      document.documentElement.style.colorScheme = scheme;
    }, colorScheme);
    expect(await complaintsOfAxe(), colorScheme).toEqual([]);
  }
  expect(messages).toEqual([]);
});

it('shares one engine and one download among widgets; who stops waiting does not stop the others', async () => {
  await open(DRAW + CAPTION + DRAW);
  await widget(1).locator('input[type=file]').setInputFiles(`${FOLDER}/image0.png`);
  await page.evaluate(() => {
    const [draws, , stops] = document.querySelectorAll('rudolph-widget');
    void (draws as RudolphWidget).run();
    (stops as RudolphWidget).run().catch(() => undefined);
    (stops as RudolphWidget).cancel();
  });
  await button(1).click();
  await Promise.all([state(0, 'done'), state(1, 'done'), state(2, 'stopped')]);
  expect(await widget(1).locator('[part=text]').count()).toBeGreaterThan(0);
  expect(workers).toHaveLength(1);
  const shards = home.takeRequests().filter((path) => path.startsWith('/models/'));
  expect(shards.toSorted()).toEqual([...new Set(shards)].toSorted());
  // The engine goes with the last of them.
  const [worker] = page.workers();
  const closed = new Promise<void>((resolve) => worker!.once('close', () => resolve()));
  await page.evaluate(() => document.querySelector('main')!.replaceChildren());
  await closed;
  expect(messages).toEqual([]);
});

it('opens a model of the visitor’s own, dropped on it; another widget shares it', async () => {
  const tag = '<rudolph-widget own-model prompt="красный круг" seed="7"></rudolph-widget>';
  await open(tag + tag);
  const folder = [...converted].map(([name, bytes]) => ({ name, bytes: [...bytes] }));
  await page.evaluate((files) => {
    const first = document.querySelector('rudolph-widget') as RudolphWidget;
    const told: string[] = [];
    first.addEventListener('progress', ({ detail }) => told.at(-1) !== detail.stage && told.push(detail.stage));
    const dataTransfer = new DataTransfer();
    for (const { name, bytes } of files) dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
    const drop = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true, composed: true });
    first.shadowRoot!.querySelector('button')!.dispatchEvent(drop);
    Object.assign(globalThis, { told });
  }, folder);
  await expect.poll(() => widget().locator('summary').textContent()).toBe('Своя модель выбрана');
  expect(await complaintsOfAxe()).toEqual([]);
  await button().click();
  await state(0, 'done');
  const told = await page.evaluate(() => (globalThis as unknown as { told: string[] }).told);
  expect(told).toEqual(expect.arrayContaining(['files', 'download', 'compile', 'tokens']));
  await page.evaluate(() => {
    const [first, second] = document.querySelectorAll('rudolph-widget');
    (second as RudolphWidget).files = (first as RudolphWidget).files;
  });
  await button(1).click();
  await state(1, 'done');
  expect(workers).toHaveLength(1);
  expect(home.takeRequests().filter((path) => path.startsWith('/models/'))).toEqual([]);
});

it('runs from another origin than the page, through a blob', async () => {
  home.headers = {
    'content-security-policy': POLICY.replace("script-src 'self'", `script-src 'self' ${elsewhere.origin}`).replace(
      "worker-src 'self'",
      `worker-src blob: ${elsewhere.origin}`,
    ),
  };
  await open(DRAW, `${elsewhere.origin}/lib/widget.js`);
  await button().click();
  await state(0, 'done');
  expect(workers).toEqual([expect.stringMatching(/^blob:/)]);
  expect(elsewhere.takeRequests()).toEqual(['/lib/widget.js', '/lib/client.js', '/lib/worker.js']);
  expect(messages).toEqual([]);
});

it('takes the worker from where worker-url says: no blob, though the script is from elsewhere', async () => {
  await open(DRAW.replace(' ', ' worker-url="/lib/worker.js" '), `${elsewhere.origin}/lib/widget.js`);
  await button().click();
  await state(0, 'done');
  expect(workers).toEqual([`${home.origin}/lib/worker.js`]);
});

it('says in the page’s language what is missing and what failed; stops; goes on', async () => {
  await open(DRAW.replace('красный круг', ''), undefined, 'en');
  expect(await button().textContent()).toContain('Draw');
  await button().click();
  const error = widget().locator('[part=error]');
  await error.waitFor();
  expect(await error.textContent()).toContain('Write something in Russian.');
  expect(
    await widget()
      .locator('textarea')
      .evaluate((field) => field.matches(':focus')),
  ).toBe(true);
  const code = await page.evaluate(async () => {
    const element = document.querySelector('rudolph-widget') as RudolphWidget;
    element.prompt = 'круг';
    element.model = 'models/none/';
    return element.run().catch((reason: { code?: string }) => reason.code);
  });
  expect(code).toBe('download');
  expect(await error.textContent()).toContain('The model could not be downloaded.');
  await page.evaluate(() => (document.documentElement.lang = 'ru'));
  await expect.poll(() => error.textContent()).toContain('Не удалось загрузить модель.');
  const [stopped, task] = await page.evaluate(async () => {
    const element = document.querySelector('rudolph-widget') as RudolphWidget;
    element.model = 'models/tiny/';
    const first = element.run().catch((reason: Error) => reason.name);
    element.addEventListener('progress', () => element.cancel(), { once: true });
    const name = (await first) as string;
    element.task = 'continue';
    return [name, ((await element.run()) as WidgetResult).task];
  });
  expect([stopped, task]).toEqual(['AbortError', 'continue']);
});
