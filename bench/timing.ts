import { type Dispatch, encode } from '../src/gpu/kernel';
import { summarise, type Timing } from './statistics';

/** A chain is at least this many dispatches long, unless they are too slow for that. */
const LEAST_DISPATCHES = 50;
/** And at least this long, so that submitting and waiting do not count. */
const LEAST_MS = 40;
/** What is submitted at once: no watchdog bites. */
const SUBMISSION_MS = 300;

export interface ChainOptions {
  readonly samples: number;
  /** A sample takes at most about so long, even if the chain is short then. */
  readonly mostMs: number;
}

/** Times of one pass over `dispatches`. */
export interface ChainTiming extends Timing {
  /** Dispatches in one sample. */
  readonly chained: number;
}

/** Times dispatches that are already recorded, over and over; the pipelines have been compiled, the first run is discarded. */
export async function timeChain(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  options: ChainOptions,
): Promise<ChainTiming> {
  if (dispatches.length === 0) throw new Error('an empty chain');
  await runChain(device, dispatches, 1, 1);
  const once = await runChain(device, dispatches, 1, 1);
  const wanted = Math.max(LEAST_DISPATCHES / dispatches.length, LEAST_MS / Math.max(once, 0.001));
  const repeats = Math.max(1, Math.min(Math.ceil(wanted), Math.floor(options.mostMs / Math.max(once, 0.001)), 5000));
  const perSubmission = Math.max(1, Math.floor(SUBMISSION_MS / Math.max(once, 0.001)));
  const samples: number[] = [];
  for (let sample = 0; sample < options.samples; sample++) {
    samples.push((await runChain(device, dispatches, repeats, perSubmission)) / repeats);
  }
  return { ...summarise(samples), chained: repeats * dispatches.length };
}

/** @returns milliseconds until the device has done everything. */
async function runChain(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  repeats: number,
  perSubmission: number,
): Promise<number> {
  await device.queue.onSubmittedWorkDone();
  const started = performance.now();
  for (let done = 0; done < repeats; done += perSubmission) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < Math.min(perSubmission, repeats - done); i++) {
      for (const dispatch of dispatches) encode(pass, dispatch);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
  await device.queue.onSubmittedWorkDone();
  return performance.now() - started;
}

/** Times functions in turn, A B A B …, each once before that; @returns one timing a function. */
export async function alternate(functions: readonly (() => Promise<unknown>)[], samples: number): Promise<Timing[]> {
  const times: number[][] = functions.map(() => []);
  for (const run of functions) await run();
  for (let sample = 0; sample < samples; sample++) {
    for (const [index, run] of functions.entries()) {
      const started = performance.now();
      await run();
      times[index]!.push(performance.now() - started);
    }
  }
  return times.map(summarise);
}
