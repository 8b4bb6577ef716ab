import { expect, test } from 'vitest';
import { runCli } from '../support/cli';

/** A file of its own, which takes half a minute beside the cases on this machine's adapter (parity.node.test.ts). */
test('parity with upstream on SwiftShader, by the command itself', { timeout: 300_000 }, async () => {
  const { stdout, stderr } = await runCli(['parity', 'test/fixtures/tiny-a', '--variants', 'base'], {
    env: { RUDOLPH_ADAPTER: 'swiftshader' },
  });
  expect(stderr).toContain('adapter: SwiftShader');
  expect(stdout).toContain('67 passed, 0 failed');
});
