import { expect, it } from 'vitest';
import { visit } from './shell';
import { useTinyPage } from './tinyPage';

const tiny = useTinyPage({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, locale: 'ru-RU' });

it('is small, paints before it has a model, and does not jump when the model comes', async () => {
  const figures = await visit(tiny.page, tiny.site.address('tiny'));
  const { bytes } = figures;
  // Compressed, as hosts do.
  expect(bytes['document'], JSON.stringify(bytes)).toBeLessThan(3e3);
  expect(bytes['script'], JSON.stringify(bytes)).toBeLessThan(50e3);
  expect(bytes['worker'], JSON.stringify(bytes)).toBeGreaterThan(50e3); // with all kernels
  expect(bytes['worker'], JSON.stringify(bytes)).toBeLessThan(90e3);
  expect(bytes['stylesheet'], JSON.stringify(bytes)).toBeLessThan(8e3);
  expect(Object.values(bytes).reduce((sum, part) => sum + part, 0)).toBeLessThan(260e3);
  expect(figures.requests).toBeLessThan(20);
  expect(figures.shift, figures.moved.join('\n')).toBeLessThan(0.1); // what Lighthouse calls good
  expect(figures.firstPaint).toBeLessThan(figures.loaded + 1000);
});
