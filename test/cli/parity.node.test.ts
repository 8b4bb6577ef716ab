import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runParity } from '../../cli/parity/runParity';
import { testVariants } from '../support/variants';

const BUNDLE = 'test/fixtures/tiny-a';
/** Fewer would mean that cases went missing unnoticed. */
const CASES = 67;

/** What is changed of a bundle's `cases.json`. */
interface Mutable {
  readonly rank_texts_by_image: { readonly ppl_img: number[] };
  readonly zero_shot: { readonly scores: number[] };
  readonly greedy: { readonly task: string; readonly result?: { ppl_txt: number }[] }[];
}

const variantSets = await testVariants();

describe('parity with upstream', { timeout: 300_000 }, () => {
  test.each(variantSets)("this machine's adapter, $name", async ({ variants }) => {
    const lines: string[] = [];
    const report = await runParity(BUNDLE, {
      variants,
      print: (line) => lines.push(line),
      signal: new AbortController().signal,
    });
    expect(lines.filter((line) => !line.startsWith('ok'))).toEqual([]);
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
    expect(lines.filter((line) => !line.startsWith('ok'))).toEqual([]);
    expect(report).toMatchObject({ passed: 14, failed: 0 });
  });

  test('a bundle with wrong numbers fails', async () => {
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
      const cases = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8')) as Mutable;
      cases.rank_texts_by_image.ppl_img[1]! *= 1.01;
      cases.zero_shot.scores[0]! += 0.002;
      cases.greedy.find(({ task }) => task === 'text_to_text')!.result![0]!.ppl_txt *= 0.99;
      await writeFile(join(folder, 'cases.json'), JSON.stringify({ ...cases, sing: {} }));
      const lines: string[] = [];
      const report = await runParity(folder, {
        variants: 'base',
        print: (line) => lines.push(line),
        signal: new AbortController().signal,
      });
      expect(report).toMatchObject({ passed: CASES - 4, failed: 4 });
      const failed = lines.filter((line) => line.startsWith('FAIL')).map((line) => line.slice(6));
      expect(failed[0]).toMatch(/^forward\.full\.logits: largest difference 1\.0\de-2 at 777/);
      expect(failed[1]).toMatch(/^greedy\.text_to_text «.*» ppl_txt: largest relative difference 1\.0\de-2 at 0/);
      expect(failed[2]).toMatch(/^rank_texts_by_image\.ppl_img: largest relative difference 9\.\d\de-3 at 1/);
      expect(failed[3]).toMatch(/^zero_shot\.scores: largest difference [12]\.\d\de-3 at 0/);
      expect(lines.filter((line) => line.startsWith('--'))).toEqual([
        '--    sing: not run, this version knows no such case',
      ]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
