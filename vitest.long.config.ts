import { defineConfig } from 'vitest/config';

/** `npm run test:long`: files that take minutes. `test:leaks` and `test:losses`: what `npm test` does in a few rounds, in many. */
export default defineConfig({
  worker: { format: 'es' },
  test: {
    globalSetup: 'test/e2e/builds.ts',
    environment: 'node',
    pool: 'forks',
    fileParallelism: false,
    include: [
      'test/**/*.long.test.ts',
      'test/model/leaks.node.test.ts',
      'test/e2e/leaks.test.ts',
      'test/model/recovery.node.test.ts',
    ],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    env: { RUDOLPH_ROUNDS: '50', RUDOLPH_LOSSES: '1000' },
  },
});
