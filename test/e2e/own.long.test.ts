import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeEach, expect, it } from 'vitest';
import { convertTiny, FOLDER } from '../convert/tiny';
import type { Site } from './site';
import { giveFiles, LONG, READY, SOON, useTinyPage } from './tinyPage';

/*
 * Somebody's own model on the page: upstream's files, a converted folder, and what is none.
 */
const tiny = useTinyPage({ viewport: { width: 820, height: 1180 }, locale: 'ru-RU' });
let site: Site;
let page: Page;
beforeEach(() => {
  ({ site, page } = tiny);
});

const CHECKPOINT = ['pytorch_model.bin', 'vqgan.ckpt', 'bpe.model', 'config.json'];
const report = () => page.locator('.own-report');
const items = () => page.locator('.model-list li');

async function opened(): Promise<void> {
  await page.waitForURL(/model=local%3A/, LONG);
  await page.locator(READY).waitFor(LONG);
}

async function draws(): Promise<string> {
  await page.fill('#draw-prompt', 'красный круг');
  await page.fill('#draw-seed', '7');
  await page.click('#draw-button');
  await page.locator('.run[data-state=done]').first().waitFor(LONG);
  return page
    .locator('.run canvas.picture')
    .first()
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
}

it('a checkpoint dropped onto the page is converted, drawn with, listed, and there again without its files', async () => {
  // The page's own model is not on this host: own files need none.
  await page.goto(site.address('none'));
  await page.locator('#status[data-state=failed]').waitFor(LONG);
  tiny.forgive(/404/);
  await giveFiles(page, 'drop', 'pytorch_model.bin', 'config.json');
  await expect
    .poll(() => report().textContent(), SOON)
    .toContain('Не хватает: токенизатор картинок (VQGAN), токенизатор текста');
  expect(await page.locator('#own-open').isHidden()).toBe(true);
  await giveFiles(page, 'drop', 'vqgan.ckpt', 'bpe.model', 'image0.png');
  await page.locator('#own-open').waitFor(SOON);
  expect(await report().textContent()).toMatch(/Не понадобится файлов: 1.*Займёт .*МБ памяти браузера, свободно/s);
  site.takeRequests();
  await page.fill('#own-name', 'Мой олень');
  await page.click('#own-open');
  await opened();
  const first = await draws();
  expect(await page.locator('#about-model').textContent()).toContain('Мой олень');
  await expect.poll(() => items().textContent(), SOON).toMatch(/Мой олень.*открыта.*преобразована в этом браузере/s);

  await page.reload();
  await page.locator(READY).waitFor(LONG);
  expect(await draws()).toBe(first);
  expect(site.takeRequests()).toEqual([]);
  await items().getByRole('button').click();
  await items().getByRole('button', { name: 'Точно?' }).click();
  await items().waitFor({ state: 'detached' });
});

it('a converted folder, chosen by hand, takes the place of the open model; what that one drew is no longer read by its tokens', async () => {
  await page.goto(site.address('tiny'));
  await page.locator(READY).waitFor(LONG);
  const before = await draws();
  const folder = mkdtempSync(join(tmpdir(), 'rudolph-folder-'));
  try {
    for (const [name, bytes] of (await convertTiny()).files) writeFileSync(join(folder, name), bytes);
    await page.setInputFiles('#own-folder', folder);
    await page.locator('#own-open').waitFor(SOON);
    expect(await report().textContent()).toMatch(/^Модель «.*», частей: \d+\./);
    await page.click('#own-open');
    await opened();
    expect(await draws()).toBe(before);
    // A picture of the model before: its pixels are read, so that the encoder is fetched.
    await page.locator('.run').last().getByRole('button', { name: 'Описать картинку 1' }).click();
    await page.locator('#caption-output .text-list li').first().waitFor(LONG);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('says what is wrong with other files, and forgets them', async () => {
  await page.goto(site.address('none'));
  await page.setInputFiles('#own-files', `${FOLDER}/bpe.model`);
  await expect.poll(() => report().textContent(), SOON).toContain('Не хватает: трансформер');
  await page.setInputFiles('#own-files', {
    name: 'pytorch_model.bin',
    mimeType: '',
    buffer: Buffer.from('no weights'),
  });
  await expect.poll(() => report().textContent(), SOON).toContain('pytorch_model.bin');
  expect(await page.locator('#own-open').isHidden()).toBe(true);
  await page.getByRole('button', { name: 'Убрать файлы' }).click();
  expect(await page.locator('.own-found').isHidden()).toBe(true);
  await page.setInputFiles(
    '#own-files',
    CHECKPOINT.map((name) => `${FOLDER}/${name}`),
  );
  await page.locator('#own-open').waitFor(SOON);
  tiny.forgive(/404/);
});
