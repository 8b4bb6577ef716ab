import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openFolder } from '../../cli/support/folder';
import { TimedTiles } from '../../src/gpu/tiles';
import { Engine } from '../../src/tasks/engine';
import { runCli } from '../support/cli';
import { openGpu } from '../support/gpu';
import { DRAWING, expectTokens, readStoredTokens, transformerOf } from '../support/tokens';

const MODEL = 'public/models/embedded';

/** Of an adapter that takes minutes for it. What the others draw is compared in embedded.node.test.ts. */
test('the embedded model draws the stored tokens on SwiftShader', { timeout: 600_000 }, async () => {
  const out = mkdtempSync(join(tmpdir(), 'rudolph-tokens-'));
  const gpu = await openGpu({ variants: 'base' });
  try {
    const engine = await Engine.load(gpu, await openFolder(MODEL));
    const drawing = ['--text', DRAWING.prompt, '--seed', String(DRAWING.seed), '--out', out];
    const args = ['draw', '--model', MODEL, '--variants', 'base', ...drawing, '--json'];
    const { code, stdout, stderr } = await runCli(args, { env: { RUDOLPH_ADAPTER: 'swiftshader' } });
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/adapter: .*SwiftShader/i);
    const { codebooks } = JSON.parse(stdout) as { codebooks: number[][] };
    const stored = readStoredTokens(transformerOf(engine));
    await expectTokens(engine, codebooks, stored.codebooks.slice(0, 1), `SwiftShader against ${stored.adapter}`);
    engine.dispose();
  } finally {
    gpu.dispose();
    rmSync(out, { recursive: true, force: true });
  }
});

/** No GPU is here, but their kernels, and the choice between their forms, run on whatever is. */
test('the embedded model draws the stored tokens with the kernels of GPUs', { timeout: 600_000 }, async () => {
  const opened = await openGpu({ variants: 'base' });
  const tiles = new TimedTiles(opened.device, opened.failure, 'test');
  const pick = vi.spyOn(tiles, 'pick');
  const gpu = { ...opened, adapter: { ...opened.adapter, software: false }, tiles };
  try {
    const engine = await Engine.load(gpu, await openFolder(MODEL));
    const count = 2;
    const { codebooks } = await engine.textToImage(DRAWING.prompt, { seed: DRAWING.seed, count });
    const stored = readStoredTokens(transformerOf(engine));
    await expectTokens(
      engine,
      codebooks,
      stored.codebooks.slice(0, count),
      `kernels of GPUs against ${stored.adapter}`,
    );
    const picks = new Map<string, string>();
    for (const [call, [key]] of pick.mock.calls.entries())
      picks.set(key, JSON.stringify((await pick.mock.results[call]!.value).consts));
    console.info([...picks].map(([key, consts]) => `${key}: ${consts}`).join('\n'));
    // The products of the prompt and of a step.
    expect(picks.size).toBeGreaterThanOrEqual(8);
    engine.dispose();
  } finally {
    gpu.dispose();
  }
});
