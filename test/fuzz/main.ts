import { Worker } from 'node:worker_threads';
import { Options } from '../../cli/support/options';
import { RudolphError } from '../../src/errors';
import type { Defect, FuzzFigures } from './run';
import { fuzzTargets } from './targets';
import type { FuzzJob } from './worker';

const USAGE = `Usage: npm run fuzz -- [--inputs N] [--seed N] [--target NAME] [--only INDEX]

Feeds mutated files to everything that reads foreign bytes. Each must be read or refused by a RudolphError, in bounded time and
memory; whatever else happens is a defect, and the exit code is 1.

  --inputs N     inputs of all targets together, or of the one target (default: 1000000)
  --seed N       other inputs (default: 1)
  --target NAME  only this one
  --only INDEX   only this input of it, as a defect was reported`;

/** Of one input. Generous: the machine may be busy with other things. */
const MOST_MS = 3000;
/** After this the worker is taken for hung. */
const HANGS_AFTER_MS = 20_000;
/** Of the JavaScript heap; and of the whole process. */
const MOST_HEAP_MIB = 256;
const MOST_BYTES = 1024 ** 3;
/** Inputs a worker reads; its defects are known afterwards. */
const PART = 20_000;

interface Total {
  readonly name: string;
  inputs: number;
  accepted: number;
  refused: number;
  slowestMs: number;
  slowestIndex: number;
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return void process.stdout.write(`${USAGE}\n`);
  const options = new Options(args, { values: ['inputs', 'seed', 'target', 'only'] });
  const seed = options.integer('seed', { min: 0, max: 2 ** 31 }) ?? 1;
  const inputs = options.integer('inputs', { min: 1, max: 2 ** 31 - 1 }) ?? 1_000_000;
  const only = options.integer('only', { min: 0, max: 2 ** 31 - 1 });
  const all = await fuzzTargets();
  const name = options.choice(
    'target',
    all.map((target) => target.name),
  );
  if (only !== undefined && name === undefined) throw new RudolphError('bad-input', '--only needs --target');
  const targets = all.filter((target) => name === undefined || target.name === name);
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0);

  const defects: Defect[] = [];
  const started = performance.now();
  let total = 0;
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  for (const target of targets) {
    const sum: Total = { name: target.name, inputs: 0, accepted: 0, refused: 0, slowestMs: 0, slowestIndex: 0 };
    const end = only === undefined ? Math.ceil((inputs * target.weight) / weights) : only + 1;
    const begun = performance.now();
    for (let first = only ?? 0; first < end;) {
      const { figures, next } = await work({ target: target.name, seed, first, count: Math.min(PART, end - first) });
      defects.push(...figures.defects);
      sum.inputs += next - first;
      sum.accepted += figures.accepted;
      sum.refused += figures.refused;
      if (figures.slowestMs > sum.slowestMs)
        Object.assign(sum, { slowestMs: figures.slowestMs, slowestIndex: figures.slowestIndex });
      first = next;
    }
    total += sum.inputs;
    const seconds = (performance.now() - begun) / 1000;
    print(
      `${sum.name.padEnd(12)} ${String(sum.inputs).padStart(8)} inputs: ${sum.accepted} read, ${sum.refused} refused; slowest ${sum.slowestMs.toFixed(0)} ms (input ${sum.slowestIndex}); ${seconds.toFixed(0)} s`,
    );
  }
  clearInterval(watch);
  for (const { target, index, what } of defects.slice(0, 50))
    print(`DEFECT: ${target}, seed ${seed}, input ${index}: ${what}`);
  print(
    `${total} inputs, seed ${seed}, ${defects.length} defects, peak memory of the process ${Math.round(peak / 2 ** 20)} MiB, ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  if (defects.length > 0) process.exitCode = 1;
}

/** Lets a worker read inputs; one that hangs, crashes or takes too much memory is a defect of the input it was at. */
async function work(
  job: Omit<FuzzJob, 'current' | 'mostMs'>,
): Promise<{ readonly figures: FuzzFigures; readonly next: number }> {
  const current = new SharedArrayBuffer(4);
  const index = new Int32Array(current);
  const data: FuzzJob = { ...job, current, mostMs: MOST_MS };
  const worker = new Worker(new URL('worker.js', import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MIB },
  });
  let seen = -1;
  let since = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const ended = await new Promise<FuzzFigures | string>((resolve) => {
    worker.once('message', resolve);
    worker.once('error', (error) => resolve(`the worker died: ${String(error)}`));
    timer = setInterval(() => {
      const at = Atomics.load(index, 0);
      if (at !== seen) [seen, since] = [at, Date.now()];
      if (Date.now() - since > HANGS_AFTER_MS) resolve(`hangs for ${HANGS_AFTER_MS / 1000} s`);
      if (process.memoryUsage.rss() > MOST_BYTES) resolve(`the process grew to ${process.memoryUsage.rss()} bytes`);
    }, 50);
  });
  clearInterval(timer);
  await worker.terminate();
  if (typeof ended !== 'string') return { figures: ended, next: job.first + job.count };
  const at = Atomics.load(index, 0);
  const defect = { target: job.target, seed: job.seed, index: at, what: ended };
  return { figures: { accepted: 0, refused: 0, slowestMs: 0, slowestIndex: at, defects: [defect] }, next: at + 1 };
}

const print = (line: string) => process.stdout.write(`${line}\n`);

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`fuzz: ${error instanceof RudolphError ? error.message : String((error as Error).stack)}\n`);
}
