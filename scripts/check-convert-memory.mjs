// Converts a checkpoint with the shapes of RUDOLPH 2.7B (5.3 GB, ZIP64, fp16; its weights are zeros in a sparse file,
// which needs almost no disk) and fails when the process took 1 GiB or more.
// Usage: npm run check:convert-memory -- [PRESET]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONVERT_ARGS, writeCheckpoint } from './fullsize/checkpoint.mjs';
import { measureConvert, mebibytes } from './support/convert.mjs';

const LIMIT = 1024 ** 3;
const preset = process.argv[2] ?? '2.7B';

const folder = mkdtempSync(join(tmpdir(), 'rudolph-memory-'));
try {
  const { rudolph } = writeCheckpoint(folder, preset, { zeros: true });
  const { seconds, peakBytes } = await measureConvert(folder, CONVERT_ARGS);
  process.stdout.write(
    `${preset}: ${(rudolph / 1e9).toFixed(2)} GB converted in ${Math.round(seconds)} s, peak memory ${mebibytes(peakBytes)}\n`,
  );
  process.stdout.write(`${execFileSync('du', ['-sh', folder], { encoding: 'utf8' })}`);
  if (peakBytes >= LIMIT) throw new Error(`that is more than ${mebibytes(LIMIT)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
