import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder of the page, as `npm run build:site` makes it. Not to be written to. */
    site: string;
    /** Folder of the library, as `npm run build:lib` makes it. Not to be written to. */
    library: string;
  }
}

/** Vitest's global setup of the tests in e2e: builds page and library once for all of them. */
export async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'rudolph-builds-'));
  // Vitest says 'test', which Vite takes for a development build.
  const environment = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = 'production';
  try {
    for (const [name, configFile] of [
      ['site', 'vite.config.ts'],
      ['library', 'vite.lib.config.ts'],
    ] as const) {
      const outDir = join(folder, name);
      await build({ configFile, logLevel: 'error', build: { outDir, emptyOutDir: true } });
      project.provide(name, outDir);
    }
  } finally {
    if (environment === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = environment;
  }
  return () => rmSync(folder, { recursive: true, force: true });
}
