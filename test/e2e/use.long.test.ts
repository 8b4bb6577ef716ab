import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Site } from './site';
import { giveFiles, READY, useTinyPage } from './tinyPage';

/*
 * How the page is used: by keyboard, on a phone, in English, impatiently. Faults of the host are in page.test.ts.
 */
const tiny = useTinyPage({ viewport: { width: 390, height: 844 } });
let site: Site;
let page: Page;
beforeEach(() => {
  ({ site, page } = tiny);
});

const CAPTIONS = '#caption-output .text-list > li';

async function openReady(): Promise<void> {
  await page.goto(site.address('tiny'));
  await page.locator(READY).waitFor({ timeout: 120_000 });
}

const drawn = () => page.locator('.run[data-state=done]').first().waitFor({ timeout: 120_000 });

/** The bytes of the newest run's first picture. */
function pictureBytes(): Promise<string> {
  const canvas = page.locator('.run').first().locator('canvas.picture').first();
  return canvas.evaluate((element: HTMLCanvasElement) => element.toDataURL());
}

it('draws by keyboard alone, and again with the seed that was shown', async () => {
  await openReady();
  await page.focus('#draw-prompt');
  await page.keyboard.type('красный круг');
  await page.keyboard.press('Enter');
  await drawn();
  const first = await pictureBytes();
  const seed = /\d+/.exec((await page.locator('.seed-used').textContent())!)![0];
  await page.locator('.seed-used').focus();
  await page.keyboard.press('Enter');
  expect(await page.inputValue('#draw-seed')).toBe(seed);
  await page.focus('#draw-prompt');
  await page.keyboard.press('Enter');
  await page.locator('.run[data-state=done]').nth(1).waitFor({ timeout: 120_000 });
  expect(await pictureBytes()).toBe(first);
});

it('speaks English when asked, also in what is on the screen already and after a reload', async () => {
  await openReady();
  await page.click('#draw-button');
  expect(await page.locator('#draw-error').textContent()).toContain('Напишите по-русски');
  await page.click('[data-language=en]');
  expect(await page.locator('#draw-error').textContent()).toContain('Say in Russian');
  expect(await page.locator('#status-text').textContent()).toMatch(/^Ready: Google SwiftShader/);
  expect(await page.getAttribute('html', 'lang')).toBe('en');
  await page.reload();
  expect(await page.locator('#draw-button').textContent()).toBe('Draw');
  // Prompts stay Russian; nothing else does.
  await page.locator(READY).waitFor({ timeout: 120_000 });
  const russian = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('[data-said]')]
      .filter((element) => element.childElementCount === 0)
      .map((element) => element.textContent)
      .filter((text) => /[а-яё]/i.test(text)),
  );
  expect(russian).toEqual([]);
});

it('refuses numbers that make no sense, and says which', async () => {
  await page.goto(site.address('tiny'));
  await page.fill('#draw-prompt', 'красный круг');
  await page.fill('#draw-seed', '4294967296');
  await page.click('#draw-button');
  expect(await page.locator('#draw-error').textContent()).toContain('4294967295');
  await page.fill('#draw-seed', '');
  await page.click('#draw-form summary');
  await page.fill('#draw-top-p', '1,5');
  await page.click('#draw-button');
  expect(await page.locator('#draw-error').textContent()).toContain('top-p');
  expect(await page.getAttribute('#draw-top-p', 'aria-invalid')).toBe('true');
  expect(await page.locator('.run').count()).toBe(0);
});

it('draws what was asked for while the model was still loading', async () => {
  await page.goto(site.address('tiny'));
  await page.fill('#draw-prompt', 'красный круг');
  await page.keyboard.press('Enter');
  expect(await page.locator('.run .card-stage').textContent()).toBe('Ждёт загрузки модели');
  await drawn();
});

it('stops a drawing that waits for the model', async () => {
  site.fail('slow');
  await page.goto(site.address('tiny'));
  await page.fill('#draw-prompt', 'красный круг');
  await page.click('#draw-button');
  await page.locator('.run[data-state=running]').waitFor();
  await page.click('#draw-button');
  await page.locator('.run[data-state=stopped]').waitFor();
  expect(await page.locator('#draw-button').textContent()).toBe('Нарисовать');
});

it('captions a drawn picture, and takes a caption back as a prompt', async () => {
  await openReady();
  // Hot enough that the tiny model finds words.
  await page.click('#tab-caption');
  await page.locator('#panel-caption details.advanced > summary').click();
  await page.fill('#caption-temperature', '3');
  await page.fill('#caption-seed', '1');
  await page.click('#tab-draw');
  await page.fill('#draw-prompt', 'красный круг');
  await page.keyboard.press('Enter');
  await drawn();
  await page.getByRole('button', { name: 'Описать картинку 1' }).click();
  await page.locator(CAPTIONS).first().waitFor({ timeout: 120_000 });
  // A caption that says nothing beyond the template is nothing to draw.
  for (const item of await page.locator(CAPTIONS).all()) {
    const prompt = (await item.locator('.text').textContent())!.replace(/^на картинке\s*/, '');
    expect(await item.getByText('Нарисовать это').count()).toBe(prompt === '' ? 0 : 1);
  }
  const item = page.locator(CAPTIONS, { has: page.locator('.text', { hasText: /на картинке ./ }) }).first();
  const caption = (await item.locator('.text').textContent())!;
  await item.getByText('Нарисовать это').click();
  expect(`на картинке ${await page.inputValue('#draw-prompt')}`).toBe(caption);
});

describe('a picture given by hand', () => {
  it('is taken when dropped anywhere on the page', async () => {
    await openReady();
    await giveFiles(page, 'drop', 'image0.png');
    await page.locator(CAPTIONS).first().waitFor({ timeout: 120_000 });
    expect(await page.locator('#panel-caption .chosen .thumb').getAttribute('title')).toBe('image0.png');
  });

  it('is taken when pasted', async () => {
    await openReady();
    await giveFiles(page, 'paste', 'image1.png');
    await page.locator(CAPTIONS).first().waitFor({ timeout: 120_000 });
    expect(await page.locator('#panel-caption .chosen .thumb').getAttribute('title')).toBe('image1.png');
  });

  it('says so when what was dropped is no picture', async () => {
    await openReady();
    await giveFiles(page, 'drop', 'config.json');
    const text = page.locator('#panel-caption .slot-error .error-headline');
    await text.waitFor();
    expect(await text.textContent()).toContain('config.json');
    expect(await page.locator(CAPTIONS).count()).toBe(0);
  });
});
