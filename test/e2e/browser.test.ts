import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Browser } from 'playwright-core';
import { launchBrowser } from '../support/browser';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

it('starts a Chromium whose pages find a WebGPU adapter', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  // WebGPU needs a secure context: about:blank is none, localhost is one, and this needs no server.
  await page.route('http://localhost:9/', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<title>empty</title>' }),
  );
  await page.goto('http://localhost:9/');
  const description = await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter();
    return adapter && `${adapter.info.vendor} ${adapter.info.architecture}`;
  });
  expect(description).toBe('google swiftshader');
  await context.close();
});
