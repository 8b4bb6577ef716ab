import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { chromiumLaunch } from './chromium';

/** A headless Chromium with WebGPU. Every `newContext()` of it is a fresh profile that leaves nothing behind. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ ...chromiumLaunch(), headless: true });
}

/** The same with a profile in a folder: what a page stores is there again when the folder is opened anew. */
export function launchPersistent(profileFolder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profileFolder, { ...chromiumLaunch(), headless: true });
}
