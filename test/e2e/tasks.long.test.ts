import { readFileSync } from 'node:fs';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { TASKS } from '../../src/demo/tabs';
import { FOLDER } from '../convert/tiny';
import type { Site } from './site';
import { giveFiles, useTinyPage } from './tinyPage';

/*
 * Every task on the page, with the tiny reference model: each by its tab, results handed from one to another, by mouse, keyboard
 * and finger. That the numbers are right is tested in test/gpu and by `parity`.
 */
const tiny = useTinyPage({
  viewport: { width: 1200, height: 900 },
  hasTouch: true,
  permissions: ['clipboard-read', 'clipboard-write'],
});
let site: Site;
let context: BrowserContext;
let page: Page;
beforeEach(() => {
  ({ site, context, page } = tiny);
});

const LONG = { timeout: 120_000 };
/** Tokens a side of the tiny model's pictures. */
const SIDE = 4;

async function openReady(task: string): Promise<void> {
  await page.goto(`${site.address('tiny')}#${task}`);
  await page.locator('#status:is([data-state=ready], [data-state=slow])').waitFor(LONG);
  await page.locator(`#panel-${task}`).waitFor();
}

/** Presses the button of a task and waits for what it puts into its output. */
async function run(task: string, result = '.text-list > li'): Promise<Locator> {
  await page.click(`#${task}-button`);
  const results = page.locator(`#${task}-output ${result}`);
  await results.first().waitFor(LONG);
  return results;
}

async function draw(prompt = 'красный круг'): Promise<void> {
  await page.fill('#draw-prompt', prompt);
  await page.fill('#draw-seed', '7');
  await page.click('#draw-button');
  await page.locator('#panel-draw .run[data-state=done]').first().waitFor(LONG);
}

const openTab = () => page.locator('[role=tab][aria-selected=true]').getAttribute('id');

it('opens tasks by their tabs, by arrow keys and by the address; Back returns', async () => {
  await page.goto(`${site.address('tiny')}#classify`);
  expect(await openTab()).toBe('tab-classify');
  await page.click('#tab-rank');
  expect(new URL(page.url()).hash).toBe('#rank');
  expect(await page.locator('[role=tabpanel]:visible').getAttribute('id')).toBe('panel-rank');
  await page.goBack();
  expect(await openTab()).toBe('tab-classify');
  await page.goForward();
  expect(await openTab()).toBe('tab-rank');
  await page.focus('#tab-rank');
  for (let k = 0; k < 3; k++) await page.keyboard.press('ArrowRight');
  expect(await openTab()).toBe('tab-draw'); // around the end
  await page.keyboard.press('End');
  expect(await openTab()).toBe('tab-perplexity');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('tab-perplexity');
  await page.goBack(); // arrows make one entry together
  expect(await openTab()).toBe('tab-rank');
});

it('leads past the tabs to the field of the open task', async () => {
  for (const [task, field] of Object.entries({ draw: 'draw-prompt', continue: 'continue-text' })) {
    await page.goto(`${site.address('tiny')}#${task}`);
    await page.locator(`#panel-${task}`).waitFor();
    await page.reload(); // another hash alone loads nothing
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('skip');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe(field);
    expect(new URL(page.url()).hash).toBe(`#${task}`);
  }
});

it('draws several pictures and keeps the best, with their scores', async () => {
  await openReady('draw');
  await page.locator('#draw-count label', { hasText: '4' }).click();
  await page.click('#panel-draw summary');
  await page.locator('#draw-keep label', { hasText: '2' }).click();
  await page.fill('#draw-guidance', '0,2');
  await page.fill('#draw-template', 'рисунок: {}');
  await draw();
  expect(await page.locator('.run .card[data-state=done]').count()).toBe(2);
  const scores = await page.locator('.run .card-details').allTextContents();
  expect(scores).toHaveLength(2);
  const values = scores.map((text) => Number(/оценка (-?[\d,]+)/.exec(text)![1]!.replace(',', '.')));
  expect(values[0]).toBeLessThanOrEqual(values[1]!);
  await page.fill('#draw-template', 'рисунок');
  await page.click('#draw-button');
  expect(await page.locator('#draw-error').textContent()).toContain('{}');
});

it('ranks all pictures where as many are kept as are drawn', async () => {
  await openReady('draw');
  await page.locator('#draw-count label', { hasText: '2' }).click();
  await page.click('#panel-draw summary');
  await page.locator('#draw-keep label', { hasText: '2' }).click();
  await draw();
  expect(await page.locator('.run .card[data-state=done]').count()).toBe(2);
  const scores = await page.locator('.run .card-details').allTextContents();
  expect(scores).toEqual([expect.stringContaining('оценка'), expect.stringContaining('оценка')]);
});

describe('redrawing a part', () => {
  const count = async (): Promise<number> =>
    Number(/Заново: (\d+)/.exec((await page.locator('#mask-count').textContent())!)![1]);

  it('paints by mouse, takes back, inverts and keeps parts', async () => {
    await openReady('inpaint');
    await page.click('#mask-clear');
    expect(await count()).toBe(0);
    await page.click('#inpaint-button');
    expect(await page.locator('#inpaint-error').textContent()).toContain('Закрасьте');
    await page.locator('#mask-brush label', { hasText: '1' }).click();
    const at = await cells();
    await page.mouse.move(...at(0, 0));
    await page.mouse.down();
    await page.mouse.move(...at(0, SIDE - 1)); // at once: the cells between are painted all the same
    await page.mouse.up();
    expect(await count()).toBe(SIDE);
    await page.locator('#mask-tool label', { hasText: 'вернуть' }).click();
    await page.mouse.click(...at(0, 1));
    expect(await count()).toBe(SIDE - 1);
    await page.click('#mask-invert');
    expect(await count()).toBe(SIDE * SIDE - SIDE + 1);
    await page.click('#keep-top');
    expect(await count()).toBe((SIDE * SIDE) / 2);
  });

  it('paints by finger without scrolling', async () => {
    await page.setViewportSize({ width: 390, height: 600 });
    await openReady('inpaint');
    await page.click('#mask-clear');
    await page.locator('#mask-brush label', { hasText: '1' }).click();
    await page.locator('#easel').scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => scrollY);
    const at = await cells();
    const client = await context.newCDPSession(page);
    const touch = async (type: 'touchStart' | 'touchMove' | 'touchEnd', point?: [number, number]): Promise<void> => {
      const touchPoints = point ? [{ x: point[0], y: point[1] }] : [];
      await client.send('Input.dispatchTouchEvent', { type, touchPoints });
    };
    await touch('touchStart', at(0, 1));
    for (let row = 1; row < SIDE; row++) await touch('touchMove', at(row, 1));
    await touch('touchEnd');
    expect(await count()).toBe(SIDE);
    expect(await page.evaluate(() => scrollY)).toBe(before);
  });

  it('paints nothing where two fingers zoom', async () => {
    await openReady('inpaint');
    const before = await count();
    const at = await cells();
    const client = await context.newCDPSession(page);
    const touch = async (
      type: 'touchStart' | 'touchMove' | 'touchEnd',
      ...points: [number, number][]
    ): Promise<void> => {
      const touchPoints = points.map(([x, y], id) => ({ x, y, id }));
      await client.send('Input.dispatchTouchEvent', { type, touchPoints });
    };
    await touch('touchStart', at(1, 0));
    expect(await count()).not.toBe(before); // nobody knows yet
    await touch('touchStart', at(1, 0), at(2, 3));
    await touch('touchMove', at(0, 0), at(3, 3));
    await touch('touchMove', at(0, 1), at(3, 2));
    await touch('touchEnd');
    expect(await count()).toBe(before);
  });

  it('paints and draws by keyboard alone', async () => {
    await openReady('inpaint');
    await page.focus('#mask-clear');
    await page.keyboard.press('Enter');
    await page.focus('#easel');
    await page.keyboard.press(' ');
    expect(await page.locator('#live').textContent()).toMatch(/^Строка 3, столбец 3: нарисовать/);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    expect(await page.locator('#live').textContent()).toMatch(/^Строка 2, столбец 3: нарисовать/);
    await page.keyboard.press('Enter');
    expect(await page.locator('#live').textContent()).toMatch(/^Строка 2, столбец 3: оставить/);
    expect(await count()).toBe(1);
    await page.focus('#inpaint-prompt');
    await page.keyboard.press('Enter');
    await page.locator('#panel-inpaint .run[data-state=done]').waitFor(LONG);
  });

  it('redraws part of a drawn picture, by the seed', async () => {
    await openReady('draw');
    await draw();
    await page.getByRole('button', { name: 'Дорисовать картинку 1' }).click();
    expect(await openTab()).toBe('tab-inpaint');
    expect(await page.inputValue('#inpaint-prompt')).toBe('красный круг');
    await page.click('#keep-top');
    await page.fill('#inpaint-seed', '8');
    await page.click('#inpaint-button');
    await page.locator('#panel-inpaint .run[data-state=done]').waitFor(LONG);
    const picture = (panel: string, run: number): Promise<number[]> =>
      page
        .locator(`#panel-${panel} .run`)
        .nth(run)
        .locator('canvas.picture')
        .first()
        .evaluate((canvas: HTMLCanvasElement) =>
          Array.from(canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data),
        );
    const [drawn, redrawn] = [await picture('draw', 0), await picture('inpaint', 0)];
    expect(redrawn).toHaveLength(drawn.length);
    expect(redrawn).not.toEqual(drawn);
    // That the tokens outside the mask stay is tested in test/model/tasks.node.test.ts.
    await page.click('#inpaint-button');
    await page.locator('#panel-inpaint .run[data-state=done]').nth(1).waitFor(LONG);
    expect(await picture('inpaint', 0)).toEqual(redrawn);
    expect(await picture('inpaint', 1)).toEqual(redrawn);
  });

  it('forgets the words of an example when a file takes its place', async () => {
    await page.goto(`${site.address('tiny')}#inpaint`);
    await expect.poll(() => page.inputValue('#inpaint-prompt')).toBe('кот слева от ёлки на голубом фоне');
    await page.setInputFiles('#inpaint-file', `${FOLDER}/image1.png`);
    await expect.poll(() => page.inputValue('#inpaint-prompt')).toBe('');
  });

  /** Middles of the easel's cells on the screen. */
  async function cells(): Promise<(row: number, column: number) => [number, number]> {
    await page.locator('#easel').scrollIntoViewIfNeeded();
    const box = (await page.locator('#easel').boundingBox())!;
    return (row, column) => [box.x + ((column + 0.5) * box.width) / SIDE, box.y + ((row + 0.5) * box.height) / SIDE];
  }
});

it('describes in the order of fit, copies a caption and hands all of them on to be compared', async () => {
  await openReady('caption');
  // Hot enough that the tiny model writes different things.
  await page.locator('#panel-caption details.advanced > summary').click();
  await page.fill('#caption-temperature', '3');
  await page.fill('#caption-seed', '1');
  await page.locator('#caption-order label', { hasText: 'подходящие' }).click();
  await page.locator('#caption-count label', { hasText: '16' }).click();
  const captions = await run('caption');
  expect(await captions.first().locator('.text-facts').textContent()).toMatch(/оценка .*перплексия текста/);
  await captions.first().getByRole('button', { name: 'Копировать' }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toBe(await captions.first().locator('.text').textContent());
  const different = await page.locator('#caption-output .text').count();
  expect(different, 'the tiny model writes different things').toBeGreaterThan(1);
  await page.getByRole('button', { name: 'Сравнить все с картинкой' }).click();
  expect(await openTab()).toBe('tab-rank');
  await page.locator('#rank-output .text-list > li').first().waitFor(LONG);
});

it('answers questions about a picture, a text and sums, and says that it was not trained for it', async () => {
  await openReady('answer');
  expect(await page.locator('#panel-answer .untrained').textContent()).toContain('не училась отвечать');
  await run('answer');
  await page.locator('#answer-kind label', { hasText: 'о тексте' }).click();
  expect(await page.locator('#panel-answer .slot').isVisible()).toBe(false);
  expect(await page.locator('#answer-output').textContent()).toBe('');
  await run('answer');
  await page.locator('#answer-kind label', { hasText: 'о числах' }).click();
  const answers = await run('answer');
  expect(await answers.count()).toBeGreaterThan(0);
  // Answers go with their question.
  await page.locator('#panel-answer .examples .chip').nth(1).click();
  expect(await page.locator('#answer-output').textContent()).toBe('');
  await page.fill('#answer-question', '');
  await page.click('#answer-button');
  expect(await page.locator('#answer-output .error-headline').textContent()).toContain('Напишите вопрос');
});

it('asks about a picture that is dropped while questions are about a text', async () => {
  await page.goto(`${site.address('tiny')}#answer`);
  await page.locator('#answer-kind label', { hasText: 'о тексте' }).click();
  await page.fill('#answer-question', 'что это?');
  await giveFiles(page, 'drop', 'image1.png');
  await page.locator('#panel-answer .chosen .thumb[title="image1.png"]').waitFor();
  expect(await page.locator('#answer-kind :checked').inputValue()).toBe('visual');
  expect(await page.inputValue('#answer-question')).toBe('что это?');
});

it('reads text in a picture that was chosen', async () => {
  await openReady('read');
  expect(await page.locator('#panel-read .untrained').textContent()).toContain('не училась читать');
  await page.setInputFiles('#read-file', `${FOLDER}/image1.png`);
  await page.locator('#panel-read .chosen .thumb[title="image1.png"]').waitFor();
  await run('read');
});

it('classifies by classes that can be edited, and stops when told to', async () => {
  await openReady('classify');
  await page.click('#panel-classify .thumb >> nth=1');
  await page.getByRole('button', { name: 'Убрать класс «кот»' }).click();
  await page.fill('#class-input', 'дом, лодка');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Backspace'); // takes the last one away
  const bars = await run('classify', '.bars > li');
  expect((await bars.locator('.bar-name').allTextContents()).toSorted()).toEqual(
    ['вишня', 'гриб', 'дом', 'корона', 'лиса', 'снеговик'].toSorted(),
  );
  const parts = (await bars.locator('.bar-part').allTextContents()).map((text) =>
    Number.parseFloat(text.replace(',', '.')),
  );
  expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(100, 0);
  expect(parts).toEqual(parts.toSorted((a, b) => b - a));
  expect(await page.locator('.winner .text').textContent()).toBe(await bars.first().locator('.bar-name').textContent());
  // Pressed twice at once: the second stops.
  await page.evaluate(() => {
    const button = document.querySelector<HTMLButtonElement>('#classify-button')!;
    button.click();
    button.click();
  });
  await expect.poll(() => page.locator('#classify-output .stage').textContent()).toBe('Остановлено');
  // Results go with the picture that they are about.
  await run('classify', '.bars > li');
  await page.click('#panel-classify .thumb >> nth=2');
  expect(await page.locator('#classify-output').textContent()).toBe('');
});

it('makes a class of each line that is pasted', async () => {
  await page.goto(`${site.address('tiny')}#classify`);
  await page.evaluate(() => navigator.clipboard.writeText('дом\nсиняя лодка\r\n\n дом, лес '));
  const before = await page.locator('.chip-item').count();
  await page.focus('#class-input');
  await page.keyboard.press('Control+V');
  const names = await page.locator('.chip-item [lang=ru]').allTextContents();
  expect(names.slice(before)).toEqual(['дом', 'синяя лодка', 'лес']);
  expect(await page.inputValue('#class-input')).toBe('');
});

it('takes all pictures that are dropped at once into a comparison', async () => {
  await page.goto(`${site.address('tiny')}#rank`);
  await page.locator('#rank-mode label', { hasText: 'картинки' }).click();
  await expect.poll(() => page.locator('#panel-rank .tile').count()).toBe(6);
  await giveFiles(page, 'drop', 'image0.png', 'config.json', 'image1.png');
  await expect.poll(() => page.locator('#panel-rank .tile').count()).toBe(8);
  expect(await page.locator('#panel-rank .slot-error:visible .error-headline').textContent()).toContain('config.json');
});

it('ranks texts by a picture and pictures by a text', async () => {
  await openReady('rank');
  await page.fill('#rank-lines', 'красный круг\nсиний квадрат\n\nкрасный круг');
  const texts = await run('rank');
  expect((await texts.locator('.text').allTextContents()).toSorted()).toEqual(['красный круг', 'синий квадрат']);
  await texts.first().getByRole('button', { name: 'Нарисовать это' }).click();
  expect(await openTab()).toBe('tab-draw');
  expect(await page.inputValue('#draw-prompt')).toBe(await texts.first().locator('.text').textContent());
  await page.goBack();

  await page.locator('#rank-mode label', { hasText: 'картинки' }).click();
  // What is compared is not offered again; what is taken away is.
  const offered = page.locator('#panel-rank .shelf:visible .thumb');
  expect(await offered.count()).toBe(0);
  await page.locator('#panel-rank .tile-remove').first().click();
  expect(await offered.count()).toBe(1);
  await page.setInputFiles('#rank-files', [`${FOLDER}/image0.png`, `${FOLDER}/image1.png`]);
  await expect.poll(() => page.locator('#panel-rank .tile').count()).toBe(7);
  await page.fill('#rank-text', 'красный круг');
  await page.click('#rank-images-button');
  const ranked = page.locator('.ranked-pictures > li');
  await ranked.first().waitFor(LONG);
  expect(await ranked.count()).toBe(7);
  expect(await ranked.first().locator('.place').textContent()).toBe('1-е место');
  await ranked.first().getByRole('button', { name: 'Описать' }).click();
  await page.locator('#caption-output .text-list > li').first().waitFor(LONG);
});

it('continues a text, marks what is new and goes on from there', async () => {
  await openReady('continue');
  await page.fill('#continue-text', 'Красный');
  const texts = await run('continue');
  const first = (await texts.first().locator('.text').textContent())!;
  expect(first).toMatch(/^красный/);
  const written = await texts.first().locator('mark').allTextContents();
  expect(`красный${written.join('')}`).toBe(first.replace(/ Модель закончила.*/, ''));
  expect(await texts.first().locator('.text-facts').textContent()).toMatch(/перплексия [\d,]+/);
  await texts.first().getByRole('button', { name: 'Продолжить дальше' }).click();
  expect(await page.inputValue('#continue-text')).toBe(`красный${written.join('')}`);
  await page.locator('#panel-continue .examples .chip').nth(1).click();
  expect(await page.locator('#continue-output').textContent()).toBe('');
});

/** A perplexity as the page says it. */
const FIGURE = /^(?:\d[\d\s]*(?:,\d+)?|\d,\d·10[⁰¹²³⁴⁵⁶⁷⁸⁹]+)$/;

it('measures a picture with its texts, and a text alone; a link and the history bring both back', async () => {
  await openReady('perplexity');
  // What the first example shows is filled in.
  expect(await page.inputValue('#perplexity-right')).toBe('на картинке кот слева от ёлки на голубом фоне');
  const parts = await run('perplexity', '.bars > li');
  expect(await parts.locator('.bar-name').allTextContents()).toEqual(['Картинка', 'Текст после картинки']);
  await page.fill('#perplexity-left', 'красный круг');
  await page.focus('#perplexity-left');
  await page.keyboard.press('Enter');
  await expect.poll(() => parts.count(), LONG).toBe(3);
  for (const text of await parts.locator('.bar-part').allTextContents()) expect(text).toMatch(FIGURE);
  await page.locator('#perplexity-output').getByRole('button', { name: 'Копировать' }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(/^красный круг: перплексия [^\n]+\nкот слева от ёлки на голубом фоне: .*\nна картинке кот .*$/);
  await page.locator('#perplexity-output').getByRole('button', { name: 'Ссылка' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('#perplexity?');
  const link = await page.evaluate(() => navigator.clipboard.readText());

  await page.locator('#perplexity-mode label', { hasText: /^текст$/ }).click();
  expect(await page.locator('#panel-perplexity .slot').isVisible()).toBe(false);
  expect(await page.locator('#perplexity-right').isVisible()).toBe(false);
  expect(await page.locator('#perplexity-output').textContent()).toBe(''); // they were about the picture
  await page.fill('#perplexity-left', '');
  await page.click('#perplexity-button');
  expect(await page.locator('#perplexity-output .error-headline').textContent()).toContain('хотя бы один текст');
  await page.locator('#panel-perplexity .examples .chip').first().click();
  await run('perplexity', '.bars > li');
  expect(await parts.locator('.bar-name').allTextContents()).toEqual(['Текст']);

  await page.locator('#history summary').click();
  await page.locator('.history-open').nth(1).click();
  await expect.poll(() => parts.count()).toBe(3);
  expect(await parts.locator('.bar-details').first().textContent()).toBe('красный круг');
  expect(await page.inputValue('#perplexity-left')).toBe('красный круг');
  await page.locator('.history-open').nth(2).click();
  await expect.poll(() => parts.count()).toBe(2);
  expect(await page.inputValue('#perplexity-left')).toBe('');

  await page.goto('about:blank');
  await page.goto(link);
  await page.locator('#panel-perplexity').waitFor();
  expect(await page.inputValue('#perplexity-left')).toBe('красный круг');
  expect(await page.locator('#perplexity-mode :checked').inputValue()).toBe('picture');
});

it('measures a picture that is dropped while a text is measured', async () => {
  await page.goto(`${site.address('tiny')}#perplexity`);
  await page.locator('#perplexity-mode label', { hasText: /^текст$/ }).click();
  await giveFiles(page, 'drop', 'image1.png');
  await page.locator('#panel-perplexity .chosen .thumb[title="image1.png"]').waitFor();
  expect(await page.locator('#perplexity-mode :checked').inputValue()).toBe('picture');
  expect(await page.inputValue('#perplexity-right')).toBe(''); // nobody knows what the file shows
});

it('hands a drawn picture to every task that looks at one', async () => {
  await openReady('draw');
  await draw();
  // Wherever they were left with something else.
  await page.click('#tab-answer');
  await page.locator('#answer-kind label', { hasText: 'о тексте' }).click();
  await page.click('#tab-rank');
  await page.locator('#rank-mode label', { hasText: 'картинки' }).click();
  await page.click('#tab-perplexity');
  await page.locator('#perplexity-mode label', { hasText: /^текст$/ }).click();
  const results = {
    answer: ['Спросить', '.text-list > li'],
    read: ['Прочитать', '.text-list > li'],
    classify: ['Выбрать класс', '.bars > li'],
    rank: ['Сравнить', '.text-list > li'],
    perplexity: ['Измерить', '.bars > li'],
  } as const;
  for (const [task, [name, result]] of Object.entries(results)) {
    await page.click('#tab-draw');
    const more = page.locator('.card-more');
    if ((await more.getAttribute('open')) === null) {
      await page.locator('.card-more summary').focus();
      await page.keyboard.press('Enter');
    }
    const button = more.getByRole('button', { name: `${name}: картинка 1` });
    if (task === 'read') await button.tap();
    else await button.click();
    expect(await openTab()).toBe(`tab-${task}`);
    expect(await page.locator(`#panel-${task} .chosen .thumb`).getAttribute('title')).toBe('красный круг');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe(`${task}-button`);
    await page.keyboard.press('Enter');
    await page.locator(`#${task}-output ${result}`).first().waitFor(LONG);
  }
  expect(await page.inputValue('#perplexity-right')).toBe('на картинке красный круг');
});

it('offers what was drawn to every other task', async () => {
  await openReady('draw');
  await draw();
  await page.click('#tab-classify');
  const thumbs = page.locator('#panel-classify .shelf .thumb');
  expect(await thumbs.first().getAttribute('title')).toBe('красный круг');
  await thumbs.first().click();
  await run('classify', '.bars > li');
  await page.click('#tab-read'); // the chosen picture is the same everywhere
  expect(await page.locator('#panel-read .chosen .thumb').getAttribute('title')).toBe('красный круг');
});

it('fits windows from 360 pixels on and passes axe, each task with its results', async () => {
  await openReady('draw');
  await page.fill('#draw-prompt', 'оченьдлинноесловобезпробеловкотороенекудадевать '.repeat(8));
  await page.locator('#draw-count label', { hasText: '4' }).click();
  await page.click('#draw-button');
  await page.locator('#panel-draw .run[data-state=done]').waitFor(LONG);
  expect(await page.locator('.run .notice').textContent()).toMatch(/прочитаны первые 16 из \d+/);
  for (const [task, result] of Object.entries({
    caption: '.text-list',
    answer: '.text-list',
    read: '.text-list',
    classify: '.bars',
    rank: '.text-list',
    continue: '.text-list',
    perplexity: '.bars',
  })) {
    await page.click(`#tab-${task}`);
    if (task === 'continue') await page.fill('#continue-text', 'кот');
    await run(task, result);
  }
  // Evaluated, not added as a script: the page's policy would refuse it.
  await page.evaluate(readFileSync('node_modules/axe-core/axe.min.js', 'utf8'));
  await page.emulateMedia({ reducedMotion: 'reduce' }); // colours change without a transition
  for (const details of await page.locator('details.advanced').all()) await details.evaluate(openDetails);
  for (const task of TASKS) {
    await page.click(`#tab-${task}`);
    await checkWidths(task);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect(await violations(), `${task}, ${colorScheme}`).toEqual([]);
    }
  }
  await page.click('#tab-rank');
  await page.locator('#rank-mode label', { hasText: 'картинки' }).click();
  await checkWidths('rank images');
  expect(await violations(), 'rank images').toEqual([]);

  async function checkWidths(task: string): Promise<void> {
    for (const width of [360, 640, 820, 1090, 1440]) {
      await page.setViewportSize({ width, height: 844 });
      const tooWide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(tooWide, `${task} at ${width} pixels`).toBe(0);
    }
  }
});

function openDetails(details: Element): void {
  (details as HTMLDetailsElement).open = true;
}

/** Of contrast, names, roles, landmarks and whatever else axe knows. */
function violations(): Promise<string[]> {
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResult> } };
    return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
}
