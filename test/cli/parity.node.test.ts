import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runParity } from '../../cli/parity/runParity';
import { runCli } from '../support/cli';
import { testVariants } from '../support/variants';

const BUNDLE = 'test/fixtures/tiny-a';
/** Fewer would mean that cases went missing unnoticed. */
const CASES = 53;

const variantSets = await testVariants();

describe('parity with upstream', { timeout: 300_000 }, () => {
  test.each(variantSets)("this machine's adapter, $name", async ({ variants }) => {
    const lines: string[] = [];
    const report = await runParity(BUNDLE, {
      variants,
      print: (line) => lines.push(line),
      signal: new AbortController().signal,
    });
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    expect(report).toMatchObject({ passed: CASES, failed: 0 });
  });

  test('odd shapes: 3 heads of 40, 6 layers, no special tokens, masks of 350M_v1', async () => {
    const lines: string[] = [];
    const signal = new AbortController().signal;
    const report = await runParity('test/fixtures/tiny-b', {
      variants: 'base',
      print: (line) => lines.push(line),
      signal,
    });
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    expect(report).toMatchObject({ passed: 14, failed: 0 });
  });

  test('SwiftShader, by the command itself', async () => {
    const { stdout, stderr } = await runCli(['parity', BUNDLE, '--variants', 'base'], {
      env: { RUDOLPH_ADAPTER: 'swiftshader' },
    });
    expect(stderr).toContain('adapter: SwiftShader');
    expect(stdout).toContain(`${CASES} passed, 0 failed`);
  });

  test('a bundle with a wrong number fails', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rudolph-parity-'));
    try {
      await cp(BUNDLE, folder, { recursive: true });
      const file = join(folder, 'cases.safetensors');
      const bytes = await readFile(file);
      const headerLength = Number(bytes.readBigUInt64LE(0));
      const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString()) as Record<
        string,
        { data_offsets: [number, number] }
      >;
      const at = 8 + headerLength + header['forward.full.logits']!.data_offsets[0] + 4 * 777;
      bytes.writeFloatLE(bytes.readFloatLE(at) + 0.01, at);
      await writeFile(file, bytes);
      const lines: string[] = [];
      const report = await runParity(folder, {
        variants: 'base',
        print: (line) => lines.push(line),
        signal: new AbortController().signal,
      });
      expect(report).toMatchObject({ passed: CASES - 1, failed: 1 });
      expect(lines.find((line) => line.startsWith('FAIL'))).toMatch(
        /forward\.full\.logits: largest difference 1\.0\de-2 at 777/,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
