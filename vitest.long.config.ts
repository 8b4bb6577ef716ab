import { defineConfig } from 'vitest/config';

/** `npm run test:leaks`, `test:losses` and `test:mutants`: what `npm test` does in a few rounds, in many; `test:long`: what takes minutes. */
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
      'test/gpu/selfTest.mutants.node.test.ts',
    ],
    hookTimeout: 300_000,
    env: { RUDOLPH_ROUNDS: '50', RUDOLPH_LOSSES: '1000', RUDOLPH_MUTANTS: 'all' },
  },
});
