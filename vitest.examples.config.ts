import { defineConfig } from 'vitest/config';

/** The examples with the packed library (`npm run test:examples`): slow, and they need the package registry. */
export default defineConfig({
  test: {
    include: ['test/examples/*.check.ts'],
    environment: 'node',
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
