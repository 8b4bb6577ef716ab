import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeCaption } from '../../eval/captions';
import { readWorld } from '../../eval/files';
import { judgeDrawing } from '../../eval/matcher';
import { compose, randomHeldOutSingle, randomNumbers, type Judgeable } from '../../eval/scene';
import type { World } from '../../eval/world';
import type { Manifest } from '../../src/format/manifest';
import type { RgbaImage } from '../../src/image/image';
import { launchBrowser } from '../support/browser';
import { serveSite, type Site } from './site';

/*
 * The page as a visitor finds it, with the model that it ships: both tasks, judged by the matcher and the caption reader of
 * `eval/`, which know nothing of the engine. `EMBEDDED_MODEL=folder` tests another edition.
 */
const FOLDER = process.env['EMBEDDED_MODEL'] ?? 'public/models/embedded';
const CHERRY: Judgeable = {
  sprites: [{ id: '1f352', bbox: [24, 24, 80, 80] }],
  size: 'large',
  place: 'center',
  background: 'white',
};

describe('the embedded model in the browser', () => {
  let browser: Browser;
  let site: Site;
  let page: Page;
  let world: World;

  beforeAll(async () => {
    [browser, site, world] = await Promise.all([launchBrowser(), serveSite(), readWorld()]);
    site.setModel('embedded', new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(join(FOLDER, name))])));
    page = await (await browser.newContext({ locale: 'ru-RU' })).newPage();
    await page.goto(site.home);
    await page.locator('#status:is([data-state=ready], [data-state=slow])').waitFor({ timeout: 120_000 });
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  it('is fetched whole from beside the page, the encoder excepted, and explains itself', async () => {
    const { components } = JSON.parse(readFileSync(join(FOLDER, 'rudolph.json'), 'utf8')) as Manifest;
    const shards = Object.entries(components).flatMap(([name, { shards }]) =>
      name === 'imageEncoder' ? [] : shards.map(({ file }) => file),
    );
    expect(site.takeRequests().toSorted()).toEqual(['rudolph.json', ...shards].toSorted());
    expect(await page.locator('#about-model').textContent()).not.toBe('');
    expect(await page.locator('#about-credits li').count()).toBeGreaterThan(0);
  });

  it('draws «большая вишня в центре на белом фоне»: the first picture shows it, large, in the middle, on white, and two more a cherry', async () => {
    await page.fill('#draw-prompt', 'большая вишня в центре на белом фоне');
    await page.fill('#draw-seed', '1');
    await page.locator('#draw-count label', { hasText: '4' }).click();
    await page.click('#draw-button');
    await page.locator('.run[data-state=done]').waitFor({ timeout: 280_000 });
    const pictures = (await page.locator('.run canvas.picture').evaluateAll((canvases) =>
      canvases.map((canvas) => {
        const { width, height } = canvas as HTMLCanvasElement;
        const { data } = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
        return { width, height, data: Array.from(data) };
      }),
    )) as { width: number; height: number; data: number[] }[];
    expect(pictures).toHaveLength(4);
    const verdicts = pictures.map(({ width, height, data }) =>
      judgeDrawing(world, { width, height, data: Uint8ClampedArray.from(data) }, CHERRY),
    );
    expect(verdicts[0]!.all, JSON.stringify(verdicts, null, 1)).toBe(true);
    const right = verdicts.filter(({ sprites, background }) => sprites && background).length;
    expect(right, JSON.stringify(verdicts, null, 1)).toBeGreaterThanOrEqual(3);
  });

  it('names the sprite in three of four freshly composed scenes that training never saw', async () => {
    const random = randomNumbers(20261123);
    const lines: string[] = [];
    await page.click('#tab-caption');
    await page.locator('#caption-count label', { hasText: /^4$/ }).click();
    let right = 0;
    for (let i = 0; i < 4; i++) {
      const scene = await randomHeldOutSingle(world, random);
      await page.setInputFiles('#caption-file', {
        name: 'scene.png',
        mimeType: 'image/png',
        buffer: await png(compose(world, scene)),
      });
      // The list of the picture before goes at once.
      await page.locator('#caption-output > .text-list').waitFor({ state: 'detached' });
      await page.locator('#caption-output .text-list li').first().waitFor({ timeout: 120_000 });
      const text = (await page.locator('#caption-output .text').first().textContent())!;
      if (judgeCaption(world, text, scene).sprites) right++;
      lines.push(`${scene.caption} → ${text}`);
    }
    expect(right, lines.join('\n')).toBeGreaterThanOrEqual(3);
  });
});

function png({ width, height, data }: RgbaImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();
}
