import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumLaunch } from './test/support/chromium.ts';

const BOTH = 'test/gpu/**/*.test.ts';
const BROWSER_ONLY = 'test/**/*.browser.test.ts';
const NODE_ONLY = 'test/**/*.node.test.ts';
const E2E = 'test/e2e/**';
const LONG = 'test/**/*.long.test.ts'; // `npm run test:long`, vitest.long.config.ts

/**
 * Three projects: `node` (pure code, and kernels on Dawn), `browser` (kernels in a real Chromium: test/gpu runs in both) and
 * `e2e` (Node tests that drive a page).
 */
export default defineConfig({
  worker: { format: 'es' },
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          environment: 'node',
          maxWorkers: 2, // compiling kernels, which is most of it, keeps one core busy
          // A thread has a copy of process.env, so Dawn would not see which Vulkan driver was chosen.
          pool: 'forks',
          sequence: { groupOrder: 0 },
          include: ['test/**/*.test.ts'],
          exclude: [BROWSER_ONLY, E2E, LONG],
        },
      },
      {
        extends: true,
        // Named in files that a browser test imports, but only ever loaded in Node.
        optimizeDeps: { exclude: ['webgpu', '@sparticuz/chromium', 'sharp'], include: ['comlink', 'idb-keyval'] },
        test: {
          name: 'browser',
          globalSetup: 'test/support/tinyWebModel.ts',
          fileParallelism: false, // one page after the other in one browser
          sequence: { groupOrder: 1 }, // one project after the other: they would fight for the cores
          include: [BOTH, BROWSER_ONLY],
          exclude: [NODE_ONLY, E2E, LONG],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: launchOptions() }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          globalSetup: 'test/e2e/builds.ts',
          environment: 'node',
          fileParallelism: false, // SwiftShader keeps both cores busy
          pool: 'forks',
          sequence: { groupOrder: 2 },
          include: ['test/e2e/**/*.test.ts'],
          exclude: [LONG],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

/** Only unpacks a browser when one is needed: `vitest --project node` stays quick. */
function launchOptions(): ReturnType<typeof chromiumLaunch> | Record<string, never> {
  const chosen = process.argv.flatMap((word, index, words) =>
    word.startsWith('--project=') ? [word.slice(10)] : word === '--project' ? [words[index + 1]] : [],
  );
  return chosen.length > 0 && !chosen.includes('browser') ? {} : chromiumLaunch();
}
