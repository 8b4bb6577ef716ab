import { expect, it } from 'vitest';
import { visit } from './shell';
import { useTinyPage } from './tinyPage';

const tiny = useTinyPage({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, locale: 'ru-RU' });

it('is small, paints before it has a model, and does not jump when the model comes', async () => {
  const figures = await visit(tiny.page, tiny.site.address('tiny'), await tiny.context.newCDPSession(tiny.page));
  const { bytes } = figures;
  // Compressed, as hosts do; the scripts are the page and the worker with all kernels.
  expect(bytes['Document'], JSON.stringify(bytes)).toBeLessThan(3e3);
  expect(bytes['Script'], JSON.stringify(bytes)).toBeLessThan(130e3);
  expect(bytes['Stylesheet'], JSON.stringify(bytes)).toBeLessThan(8e3);
  expect(Object.values(bytes).reduce((sum, part) => sum + part, 0)).toBeLessThan(260e3);
  expect(figures.requests).toBeLessThan(20);
  expect(figures.shift, figures.moved.join('\n')).toBeLessThan(0.05);
  expect(figures.firstPaint).toBeLessThan(figures.loaded + 1000);
});
