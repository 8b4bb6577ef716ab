import { brotliDecompressSync } from 'node:zlib';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromiumArchives, unpackOnce, unpackTar } from '../../cli/support/swiftshader.ts';

/** How to start a Chromium with WebGPU: fields of Playwright's launch options. */
export interface ChromiumLaunch {
  readonly executablePath: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** WebGPU on SwiftShader, also where there is a GPU: browser tests run alike everywhere. */
const ARGS = [
  '--no-sandbox', // containers run as root, where Chromium's sandbox cannot start
  '--enable-unsafe-webgpu', // WebGPU on Linux and on software adapters
  '--use-webgpu-adapter=swiftshader',
  '--disable-dev-shm-usage', // containers have a /dev/shm of 64 MB
];

const INSTALLED = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/usr/bin/chromium-browser',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/**
 * An installed Chromium or Chrome (`CHROME_PATH` comes first), else the one from the npm package `@sparticuz/chromium`,
 * unpacked once. `CHROME_PATH=npm` demands the latter.
 */
export function chromiumLaunch(): ChromiumLaunch {
  const wish = process.env['CHROME_PATH'];
  if (wish && wish !== 'npm' && !existsSync(wish)) throw new Error(`CHROME_PATH is ${wish}, which does not exist`);
  const installed = wish === 'npm' ? undefined : [wish, ...INSTALLED].find((path) => path && existsSync(path));
  if (installed) return { executablePath: installed, args: ARGS, env: environment() };
  const archives = chromiumArchives();
  if (!archives) {
    throw new Error(
      'no Chromium found: install Chromium or Chrome, set CHROME_PATH, or (Linux x64) npm install @sparticuz/chromium',
    );
  }
  const folder = unpackOnce(archives, 'chromium', (to) => {
    writeFileSync(join(to, 'chromium'), brotliDecompressSync(readFileSync(join(archives, 'chromium.br'))), {
      mode: 0o755,
    });
    unpackTar(join(archives, 'swiftshader.tar.br'), to);
    unpackTar(join(archives, 'al2023.tar.br'), to); // NSS and friends, which a bare machine lacks
    unpackTar(join(archives, 'fonts.tar.br'), to);
  });
  const libraries = [join(folder, 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  return {
    executablePath: join(folder, 'chromium'),
    args: ARGS,
    env: environment({
      LD_LIBRARY_PATH: libraries,
      FONTCONFIG_PATH: process.env['FONTCONFIG_PATH'] ?? join(folder, 'fonts'),
    }),
  };
}

function environment(more: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Object.fromEntries(own), ...more };
}
