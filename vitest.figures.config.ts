import { defineConfig } from 'vitest/config';

/** Figures of the page itself, printed (`npm run figures:shell`). */
export default defineConfig({
  worker: { format: 'es' },
  test: {
    include: ['test/e2e/*.check.ts'],
    environment: 'node',
    pool: 'forks',
    globalSetup: 'test/e2e/builds.ts',
    disableConsoleIntercept: true,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
