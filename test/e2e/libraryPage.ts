import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import type * as Library from '../../src/index';
import { convertTiny } from '../convert/tiny';
import { launchBrowser } from '../support/browser';
import { type Host, startHost } from './hosts';

/** What scripts of the tests find on the page. */
export interface LibraryWindow {
  readonly lib: typeof Library;
  /** Loads the tiny model in a worker that the test can harm. */
  load(options?: Library.LoadOptions): Promise<Library.Rudolph>;
  /** Does something to all workers of the page: what, is in `HOOK`. */
  harm(what: 'destroy the device' | 'throw' | 'close'): void;
}

/** Runs in the worker before its own script. */
const HOOK = `
const request = GPUAdapter.prototype.requestDevice;
let device;
GPUAdapter.prototype.requestDevice = async function (...args) {
  return (device = await request.apply(this, args));
};
new BroadcastChannel('harm').onmessage = ({ data }) => {
  if (data === 'destroy the device') device.destroy();
  if (data === 'throw') setTimeout(() => { throw new Error('out of luck'); });
  if (data === 'close') close();
};`;
const PAGE = `<!doctype html><title>The library</title><link rel="icon" href="data:,"><script type="module">
import * as lib from '/lib/index.js';
const channel = new BroadcastChannel('harm');
Object.assign(window, {
  lib,
  load: (options = {}) => lib.Rudolph.load('/models/tiny/', { workerUrl: '/harmed/worker.js', ...options }),
  harm: (what) => channel.postMessage(what),
});
</script>`;

/** What the hooks of `useLibraryPage` set up; valid inside tests. */
export interface LibraryPage {
  browser: Browser;
  host: Host;
  context: BrowserContext;
  page: Page;
}

/** Registers hooks: a plain page with the built library and the tiny reference model, a fresh one for every test. */
export function useLibraryPage(): LibraryPage {
  const current = {} as LibraryPage;

  beforeAll(async () => {
    const [browser, host, { files }] = await Promise.all([launchBrowser(), startHost(), convertTiny()]);
    Object.assign(current, { browser, host });
    for (const [name, bytes] of files) host.files.set(`/models/tiny/${name}`, bytes);
    host.folders.set('/lib/', inject('library'));
    host.files.set('/', PAGE);
    host.files.set('/harmed/hook.js', HOOK);
    // Static imports: a message that comes before the worker listens would be lost.
    host.files.set('/harmed/worker.js', `import './hook.js'; import '/lib/worker.js';`);
  });
  afterAll(async () => {
    await current.browser?.close();
    await current.host?.close();
  });
  beforeEach(async () => {
    current.context = await current.browser.newContext();
    current.page = await current.context.newPage();
    await current.page.goto(`${current.host.origin}/`);
    await current.page.waitForFunction(() => 'lib' in globalThis);
  });
  afterEach(() => current.context.close());
  return current;
}
