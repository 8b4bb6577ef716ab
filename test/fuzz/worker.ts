import { parentPort, workerData } from 'node:worker_threads';
import { fuzz } from './run';
import { fuzzTargets } from './targets';

/** What main.ts asks of this worker: some inputs of one target. */
export interface FuzzJob {
  readonly target: string;
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  readonly mostMs: number;
  /** Where the number of the input that is being read is kept for the watcher. */
  readonly current: SharedArrayBuffer;
}

const job = workerData as FuzzJob;
const target = (await fuzzTargets()).find(({ name }) => name === job.target)!;
const current = new Int32Array(job.current);
const figures = await fuzz(target, job.seed, job.first, job.count, job.mostMs, (index) =>
  Atomics.store(current, 0, index),
);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- that of windows; this is Node's
parentPort!.postMessage(figures);
