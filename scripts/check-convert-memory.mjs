// Converts a checkpoint with the shapes of RUDOLPH 2.7B (5.3 GB, ZIP64, fp16; its weights are zeros in a sparse file,
// which needs almost no disk) and fails when the process took 1 GiB or more.
// Usage: npm run build:cli && node scripts/check-convert-memory.mjs [PRESET]
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runnerImport } from 'vite';

const LIMIT = 1024 ** 3;
const preset = process.argv[2] ?? '2.7B';
const load = async (file) => (await runnerImport(file)).module;
const { pickle, zipEnd, zipHeader } = await load('./test/support/torchFiles.ts');
const { MASK_KEYS, planTransformer } = await load('./src/convert/plan.ts');
const { PRESETS } = await load('./src/convert/config.ts');
const { computeMask } = await load('./src/format/geometry.ts');

const BYTES = { f16: 2, f32: 4, bool: 1 };

/** Writes tensors as a torch zip; those without data are holes. */
function writeSparse(path, tensors) {
  const empty = new Uint8Array(0);
  const count = (shape) => shape.reduce((product, n) => product * n, 1);
  const root = new Map(
    tensors.map(({ key, dtype, shape }) => [key, { dtype, shape, data: empty, claims: count(shape) }]),
  );
  const files = [{ name: 'archive/data.pkl', data: pickle(root) }];
  tensors.forEach(({ dtype, shape, data }, i) =>
    files.push({ name: `archive/data/${i}`, data, length: count(shape) * BYTES[dtype] }),
  );
  const file = openSync(path, 'w');
  const directory = [];
  let at = 0;
  const write = (bytes) => {
    for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, at + done);
    at += bytes.length;
  };
  for (const { name, data, length = data.length } of files) {
    directory.push(zipHeader(name, { zip64: true }, length, length, at));
    write(zipHeader(name, { zip64: true }, length, length, null));
    if (data) write(data);
    else at += length;
  }
  const offset = at;
  for (const entry of directory) write(entry);
  write(zipEnd(directory, offset, true));
  ftruncateSync(file, at);
  closeSync(file);
  return at;
}

const folder = mkdtempSync(join(tmpdir(), 'rudolph-memory-'));
try {
  const sizes = PRESETS[preset];
  if (!sizes) throw new Error(`there is no preset ${preset}`);
  const masks = Object.entries(MASK_KEYS).map(([kind, key]) => {
    const data = computeMask(sizes, kind);
    const length = Math.sqrt(data.length);
    return { key, dtype: 'bool', shape: [length, length], data };
  });
  const weights = planTransformer(sizes).expected.map(({ key, shape }) => ({ key, shape, dtype: 'f16' }));
  const byteLength = writeSparse(join(folder, 'pytorch_model.bin'), [...weights, ...masks]);
  const presets = JSON.parse(readFileSync('test/fixtures/presets.json', 'utf8'));
  const vqgan = Object.entries(presets['sber-vqgan-f8'].state_dict).map(([key, shape]) => ({
    key,
    shape,
    dtype: 'f32',
  }));
  writeSparse(join(folder, 'vqgan.ckpt'), vqgan);
  const characters = Array.from({ length: 16380 }, (_, i) => `${0x4e00 + i} ${4 + i}`);
  writeFileSync(join(folder, 'bpe.model'), [`${characters.length} 0`, ...characters, '1 0 2 3', ''].join('\n'));

  const hook =
    'data:text/javascript,process.on("exit",()=>process.stderr.write(`maxRSS ${process.resourceUsage().maxRSS}\\n`))';
  const args = ['--rudolph', 'pytorch_model.bin', '--vqgan', 'vqgan.ckpt', '--tokenizer', 'bpe.model', '--out', 'web'];
  const started = Date.now();
  const child = spawn(
    process.execPath,
    ['--import', hook, join(process.cwd(), 'dist/cli/main.js'), 'convert', ...args],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`convert failed:\n${stderr}`);
  const peak = Number(/maxRSS (\d+)/.exec(stderr)[1]) * 1024;
  const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
  process.stdout.write(
    `${preset}: ${(byteLength / 1e9).toFixed(2)} GB converted in ${Math.round((Date.now() - started) / 1000)} s, peak memory ${mebibytes(peak)}\n`,
  );
  process.stdout.write(`${execFileSync('du', ['-sh', folder], { encoding: 'utf8' })}`);
  if (peak >= LIMIT) throw new Error(`that is more than ${mebibytes(LIMIT)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
