import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createServer } from 'vite';
import { launchBrowser } from '../support/browser';
import { setup, TINY_WEB_MODEL } from '../support/tinyWebModel';

/*
 * `npm start`: the page from its sources, in a clone that has just been installed.
 */
it('draws from the sources, without loading the page a second time', async () => {
  await setup();
  // Vite has bundled nothing before.
  const cacheDir = mkdtempSync(join(tmpdir(), 'rudolph-start-'));
  const server = await createServer({
    configFile: 'vite.config.ts',
    logLevel: 'error',
    cacheDir,
    server: { port: 0, strictPort: false },
  });
  const browser = await launchBrowser();
  try {
    await server.listen();
    const { port } = server.httpServer!.address() as { port: number };
    const page = await browser.newPage();
    const errors: string[] = [];
    let loads = 0;
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('load', () => loads++);
    await page.goto(`http://localhost:${port}/?model=${TINY_WEB_MODEL}/`);
    await page.locator('#status:is([data-state=ready], [data-state=slow])').waitFor({ timeout: 240_000 });
    await page.fill('#draw-prompt', 'красный круг');
    await page.click('#draw-button');
    await page.locator('.run[data-state=done]').waitFor({ timeout: 240_000 });
    expect(errors).toEqual([]);
    expect(loads).toBe(1);
  } finally {
    await browser.close();
    await server.close();
    rmSync(cacheDir, { recursive: true, force: true });
  }
});
