// The real sizes, on random weights: see docs/full-size.md. Usage: npm run fullsize -- STEP [--preset 2.7B] [--folder DIR]
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureConvert, mebibytes } from '../support/convert.mjs';

const USAGE = `Usage: npm run fullsize -- STEP [--preset 2.7B] [--folder DIR]

Steps, each of which needs those before it (build first: npm run build:cli && npm run build:lib):
  make      checkpoints in upstream's format with random weights: DIR/PRESET/pytorch_model.bin, vqgan.ckpt, bpe.model
  convert   to a web model with the command line, measured
  forward   logits of 64 positions with the command line
  compare   the same in PyTorch (PYTHON, training/requirements.txt), and how far they are apart
  store     first visit in Chromium: downloads the model into IndexedDB
  load      second visit: takes it from there, without the network; load time and memory
  steps     a prompt of 64 positions and 2 steps in Chromium
  prefill   the whole left text and 8 tokens of a picture in Chromium
  picture   a whole picture in Chromium: its file is DIR/PRESET/picture.png
  clean     removes DIR/PRESET

  --preset  350M, 1.3B or 2.7B (default)
  --folder  default: ${join(tmpdir(), 'rudolph-full-size')}; 2.7B needs 17 GB`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { preset: { type: 'string' }, folder: { type: 'string' }, help: { type: 'boolean' } },
});
const preset = values.preset ?? '2.7B';
const folder = join(resolve(values.folder ?? join(tmpdir(), 'rudolph-full-size')), preset);
const started = performance.now();
const log = (line) => process.stdout.write(`[${((performance.now() - started) / 1000).toFixed(1)} s] ${line}\n`);
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** What a page may need of the JavaScript heap and of a renderer to load a model of any size. */
const MOST_MEMORY = 256 * 2 ** 20;
const LONGEST_SUBMISSION_MS = 1000;
/** What takes minutes says that it goes on. */
const TELL_EVERY_MS = 30_000;
/** Letters of the tokenizer that `make` writes, one token each. */
const LETTERS = 'абвгдежзийклмнопрстуфхцчшщъыьэюя';

const steps = {
  async make() {
    const { writeCheckpoint } = await import('./checkpoint.mjs');
    mkdirSync(folder, { recursive: true });
    const { rudolph, vqgan } = writeCheckpoint(folder, preset);
    log(
      `pytorch_model.bin ${gigabytes(rudolph)}, vqgan.ckpt ${gigabytes(vqgan)}; largest resident size ${mebibytes(process.resourceUsage().maxRSS * 1024)}`,
    );
  },
  async convert() {
    const { CONVERT_ARGS } = await import('./checkpoint.mjs');
    rmSync(join(folder, 'web'), { recursive: true, force: true });
    const { seconds, peakBytes } = await measureConvert(folder, CONVERT_ARGS);
    log(`${preset} converted in ${Math.round(seconds)} s, peak memory ${mebibytes(peakBytes)}`);
    if (peakBytes >= 2 ** 30) throw new Error('that is more than 1 GiB');
  },
  async forward() {
    const ids = Array.from({ length: 64 }, (_, i) => (i === 0 ? 2 : i < 48 ? 5 + ((i * 2654435761) % 16000) : 0));
    writeFileSync(join(folder, 'ids.json'), JSON.stringify([ids]));
    const args = ['dist/cli/main.js', 'forward', '--model', join(folder, 'web'), '--ids', join(folder, 'ids.json')];
    execFileSync(process.execPath, [...args, '--out', join(folder, 'forward.safetensors')], { stdio: 'inherit' });
    log(`forward of ${ids.length} positions`);
  },
  async compare() {
    const files = ['pytorch_model.bin', 'ids.json', 'forward.safetensors'].map((name) => join(folder, name));
    execFileSync(process.env.PYTHON ?? 'python3', ['scripts/fullsize/compare.py', preset, ...files], {
      stdio: 'inherit',
    });
    log('compared');
  },
  async store() {
    rmSync(join(folder, 'profile'), { recursive: true, force: true });
    const { loaded } = await inBrowser();
    report(loaded);
    if (loaded.shardsAskedFor === 0) throw new Error('nothing was downloaded');
  },
  async load() {
    const { loaded } = await inBrowser();
    report(loaded);
    if (loaded.shardsAskedFor > 0)
      throw new Error(`${loaded.shardsAskedFor} shards were downloaded: run the step store first`);
    check(loaded);
  },
  async steps() {
    await run(
      (text) =>
        window.timed(
          () => window.rudolph.continueText(text, { count: 1, seed: 1 }),
          (event) => event.stage === 'tokens' && event.done >= 2,
        ),
      // bos and the special token make it 64.
      Array.from({ length: 62 }, (_, i) => LETTERS[(7 * i) % 32]).join(''),
    );
  },
  async prefill() {
    await run(
      (text) =>
        window.timed(
          () => window.rudolph.textToImage(text, { count: 1, seed: 1 }),
          (event) => event.stage === 'tokens' && event.done >= 8,
        ),
      'кот',
    );
  },
  async picture() {
    const png = await run(async (text) => {
      const task = window.rudolph.textToImage(text, { count: 1, seed: 1 });
      await window.timed(
        () => task,
        () => false,
      );
      const { images } = await task;
      const { width, height, data } = images[0];
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext('2d').putImageData(new ImageData(data, width, height), 0, 0);
      const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
    }, 'кот');
    writeFileSync(join(folder, 'picture.png'), Buffer.from(png, 'base64'));
  },
  async clean() {
    rmSync(folder, { recursive: true, force: true });
  },
};

async function inBrowser(work) {
  const { withModel } = await import('./browser.mjs');
  return withModel({ profile: join(folder, 'profile'), model: join(folder, 'web'), log }, work);
}

/** Loads the model, runs a function with a text in the page, and says how long submissions took. */
async function run(work, text) {
  const { loaded, result } = await inBrowser(async (page, submissions) => {
    const before = (await submissions()).length;
    const tell = async () => {
      const times = (await submissions()).slice(before).sort((a, b) => b - a);
      const first = times.slice(0, 5).map((ms) => `${ms.toFixed(0)} ms`);
      log(`${times.length} submissions; the longest ${first.join(', ')}`);
      return times;
    };
    const telling = setInterval(() => void tell().catch(() => undefined), TELL_EVERY_MS);
    try {
      const value = await page.evaluate(work, text);
      const [most = 0] = await tell();
      if (most > LONGEST_SUBMISSION_MS) {
        // What was computed is kept all the same.
        log(`FAILED: a submission took longer than ${LONGEST_SUBMISSION_MS} ms, or the machine was not quiet`);
        process.exitCode = 1;
      }
      return value;
    } finally {
      clearInterval(telling);
    }
  });
  report(loaded);
  return result;
}

function report(loaded) {
  const { ms, adapter, usage, quota, workerBytes, renderer, gpuProcessBytes, shardsAskedFor, browser } = loaded;
  log(
    `Chromium ${browser}, ${adapter.description || adapter.device || adapter.architecture}: ready after ${seconds(ms)}, ${shardsAskedFor} shards from the network`,
  );
  log(`stored ${gigabytes(usage)} of a quota of ${gigabytes(quota)}`);
  log(
    `at most: worker's heap with array buffers ${mebibytes(workerBytes)}, renderer grew by ${mebibytes(renderer.all)} (own memory ${mebibytes(renderer.own)}, shared ${mebibytes(renderer.shared)}, of program files ${mebibytes(renderer.files)}), GPU process ${mebibytes(gpuProcessBytes)}`,
  );
}

function check({ workerBytes, renderer }) {
  if (workerBytes === 0) throw new Error("the worker's heap could not be measured");
  if (workerBytes > MOST_MEMORY || renderer.all > MOST_MEMORY)
    throw new Error(`that is more than ${mebibytes(MOST_MEMORY)}`);
}

const [name] = positionals;
if (values.help || name === undefined || !Object.hasOwn(steps, name)) {
  process.stdout.write(`${USAGE}\n`);
  process.exitCode = values.help ? 0 : 1;
} else {
  try {
    if (!existsSync('dist/cli/main.js') || !existsSync('dist/lib/index.js'))
      throw new Error('build first: npm run build:cli && npm run build:lib');
    await steps[name]();
  } catch (error) {
    process.stderr.write(`fullsize ${name}: ${error.message}\n`);
    process.exitCode = 1;
  }
}
