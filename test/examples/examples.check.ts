import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertTiny } from '../convert/tiny';
import { type Host, startHost } from '../e2e/hosts';
import { launchBrowser } from '../support/browser';

/*
 * Each example as a user would build it: with the packed library from npm's own hands. They draw with the tiny reference model,
 * which takes the embedded one's place on the host; what is tested is that everything is found.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'";

let folder: string;
let tarball: string;
let browser: Browser;
let tiny: ReadonlyMap<string, Uint8Array>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rudolph-examples-'));
  npm('.', 'pack', '--pack-destination', folder); // its scripts build what is packed
  tarball = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
  );
  [browser, { files: tiny }] = await Promise.all([launchBrowser(), convertTiny()]);
});
afterAll(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Runs npm; what it says is shown if it fails. */
function npm(where: string, ...args: string[]): void {
  const environment = { ...process.env };
  delete environment['NODE_ENV']; // Vitest's 'test' would make bundlers build for development
  execFileSync('npm', args, { cwd: where, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** An example, built, on a host of its own. */
async function serveExample(name: string): Promise<Host> {
  const copy = join(folder, name);
  cpSync(join('examples', name), copy, {
    recursive: true,
    filter: (path) => !/[\\/](node_modules|dist)$/.test(path),
  });
  const file = join(copy, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { dependencies: Record<string, string> };
  manifest.dependencies['rudolph-web'] = `file:${tarball}`;
  writeFileSync(file, JSON.stringify(manifest));
  npm(copy, 'install', '--ignore-scripts', '--no-audit', '--no-fund');
  npm(copy, 'run', 'build');
  const host = await startHost();
  host.headers = { 'content-security-policy': POLICY };
  host.folders.set('/', join(copy, 'dist'));
  host.files.set('/', readFileSync(join(copy, 'dist', 'index.html')));
  for (const [path, bytes] of tiny) host.files.set(`/models/embedded/${path}`, bytes);
  return host;
}

async function drawWithWidget(page: Page): Promise<void> {
  await page.locator('rudolph-widget [part=button]').click();
  await page.locator('rudolph-widget[state=done]').waitFor({ timeout: 280_000 });
  expect(await page.locator('rudolph-widget canvas.picture').getAttribute('width')).toBe('32');
}

async function drawWithButton(page: Page): Promise<void> {
  await page.click('#draw');
  const picture = page.locator('#picture[src^="blob:"]');
  await picture.waitFor({ timeout: 280_000 });
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(32);
}

describe.each([
  ['plain', drawWithWidget],
  ['vite', drawWithButton],
  ['webpack', drawWithButton],
  ['react', drawWithWidget],
])('examples/%s', (name, draw) => {
  it('installs, builds and draws under a strict policy', async () => {
    const host = await serveExample(name);
    const page = await browser.newPage();
    const messages: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(error.message));
    try {
      await page.goto(`${host.origin}/`);
      await draw(page);
      expect(messages).toEqual([]);
    } catch (error) {
      throw new Error(`${String(error)}\non the console: ${messages.join('\n')}`, { cause: error });
    } finally {
      await page.close();
      await host.close();
    }
  });
});
