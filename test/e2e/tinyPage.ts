import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { convertTiny, FOLDER } from '../convert/tiny';
import { launchBrowser } from '../support/browser';
import { serveSite, type Site } from './site';

/** The page has a model. */
export const READY = '#status:is([data-state=ready], [data-state=slow])';
/** For what computes, and for what only shows. */
export const LONG = { timeout: 240_000 };
export const SOON = { timeout: 20_000 };

/** What the hooks of `useTinyPage` set up; valid inside tests. */
export interface TinyPage {
  site: Site;
  context: BrowserContext;
  page: Page;
  /** This test expects such complaints of the browser's. */
  forgive(pattern: RegExp): void;
}

/**
 * Registers hooks: the built page on a host with the tiny reference model, a fresh page for every test. A test fails when the page throws or
 * logs an error.
 */
export function useTinyPage(options: BrowserContextOptions): TinyPage {
  const current = {} as TinyPage;
  let browser: Browser;
  let complaints: string[];
  current.forgive = (pattern) => {
    complaints = complaints.filter((text) => !pattern.test(text));
  };

  beforeAll(async () => {
    const [started, served, { files }] = await Promise.all([launchBrowser(), serveSite(), convertTiny()]);
    browser = started;
    current.site = served;
    current.site.setModel('tiny', files);
  });
  afterAll(async () => {
    await browser.close();
    await current.site.close();
  });

  beforeEach(async () => {
    current.site.fail(null);
    complaints = [];
    current.context = await browser.newContext(options);
    current.page = await current.context.newPage();
    current.page.on('pageerror', (error) => complaints.push(error.message));
    current.page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
  });
  afterEach(async () => {
    await current.context.close();
    if (complaints.length > 0) throw new Error(`the page complained: ${complaints.join('; ')}`);
  });
  return current;
}

/** Drops files of the reference bundle somewhere on the page, or pastes them. */
export async function giveFiles(page: Page, how: 'drop' | 'paste', ...names: readonly string[]): Promise<void> {
  const files = names.map((name) => ({
    name,
    bytes: [...readFileSync(`${FOLDER}/${name}`)],
    type: name.endsWith('.png') ? 'image/png' : 'application/json',
  }));
  await page.evaluate(
    ({ how, files }) => {
      const data = new DataTransfer();
      for (const { name, bytes, type } of files) data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
      const event =
        how === 'drop'
          ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
      document.querySelector('footer')!.dispatchEvent(event);
    },
    { how, files },
  );
}
