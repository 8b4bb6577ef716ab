import { RudolphError } from '../errors';
import { abortable } from '../gpu/abortable';
import { Arena, readBack } from '../gpu/buffers';
import { Runner } from '../gpu/runner';
import { type Batch, END, type GenerateRequest, Generation, givenBehindPrefix } from './generation';
import { checkSampling, type Sampler } from './sampler';
import { TokenTap } from './tokenTap';
import type { Transformer } from './transformer';

export { END, type GenerateRequest };

/** A text step looks at its `done` flags this often; with two submissions in flight, at most 8 tokens run ahead. */
const TEXT_STEPS_PER_SUBMISSION = 4;
const PREVIEW_EVERY_MS = 120;
/** In `done`: no logit was a number. */
const NO_NUMBERS = 2;

/**
 * Generates tokens behind a shared prefix, which is computed once for all batches. The loop lives on the GPU: each step encodes the
 * same commands with the same bind groups, the sampled token is written where the next step's `embed` reads it, and nothing is read
 * back before a batch's end; copies for progress are looked at when they happen to be there.
 *
 * Tokens in `request.drawn` are put where they were; their keys and values are computed again in steps as when they were drawn: the same
 * sums in the same order, so that on the same kind of adapter everything behind them is the same to the last bit.
 * @returns [count][end − prefix.length] ids. A text that ended holds 3, then zeros.
 * @throws RudolphError `bad-input` for sampling options, a weight or allowed ids out of range; `out-of-memory` when not even one candidate fits;
 *   the signal's reason as soon as there is one.
 */
export async function generate(
  transformer: Transformer,
  sampler: Sampler,
  request: GenerateRequest,
): Promise<Uint32Array[]> {
  const { prefix, count, end, signal } = request;
  checkSampling({ ...request.sampling, count, guidance: request.guidance?.weight });
  const length = end - prefix.length;
  const given = givenBehindPrefix(request);
  const results: Uint32Array[] = [...(request.drawn?.finished ?? [])];
  const report = (drawing: readonly Uint32Array[], known: number): void => {
    request.drawn?.note(results, drawing, known);
    request.onProgress?.(results.length * length + drawing.length * known, count * length);
    request.onTokens?.([...results, ...drawing], [...results.map(() => length), ...drawing.map(() => known)]);
  };
  if (given.length === length || results.length === count) {
    while (results.length < count) results.push(Uint32Array.from(given));
    request.onPrefix?.();
    report([], 0);
    return results;
  }
  const { device } = transformer.gpu;
  const runner = new Runner(device, signal);
  const arena = new Arena(device);
  try {
    const generation = new Generation(arena, transformer, sampler, request);
    await arena.allocated();
    // Of its own: the activations of a whole prefix are large, and not needed while tokens are drawn.
    await within(device, async (own) => {
      await runner.run(await abortable(generation.recordPrefixes(own), signal));
      await runner.flush();
    });
    for (let first = results.length; first < count;) {
      const candidates = Math.min(generation.together, count - first);
      const drawn = await within(device, (own) => drawBatch(generation, own, runner, first, candidates, report));
      results.push(...drawn);
      report([], 0);
      first += candidates;
    }
    return results;
  } finally {
    arena.dispose();
  }
}

/** Work with buffers of its own. */
async function within<T>(device: GPUDevice, work: (arena: Arena) => Promise<T>): Promise<T> {
  const arena = new Arena(device);
  try {
    return await work(arena);
  } finally {
    arena.dispose();
  }
}

/**
 * Draws candidates `first` … `first` + `candidates` − 1.
 * @param report called now and then with [candidates][end − prefix.length] tokens and how many of each there are.
 */
async function drawBatch(
  generation: Generation,
  arena: Arena,
  runner: Runner,
  first: number,
  candidates: number,
  report: (tokens: readonly Uint32Array[], known: number) => void,
): Promise<Uint32Array[]> {
  const { transformer, request, given, start } = generation;
  const { sequenceLength, gpu } = transformer;
  const { prefix, end, stream, signal } = request;
  const batch = await abortable(generation.recordBatch(arena, first, candidates), signal);
  const { begin, step, tokens, done, closed } = batch;
  const split = (data: Uint32Array): Uint32Array[] =>
    Array.from({ length: candidates }, (_, c) =>
      data.subarray(c * sequenceLength + prefix.length, c * sequenceLength + end),
    );
  const watched = request.onTokens !== undefined || request.onProgress !== undefined || request.drawn !== undefined;
  const drawnBefore = batch.known - given.length;
  let over = closed.every((flag) => flag === 1);
  const tap = new TokenTap(gpu.device, [tokens, done]);
  try {
    if (drawnBefore === 0) await runner.run(begin);
    else await replay(arena, runner, batch, start, drawnBefore);
    await runner.flush();
    if (first === 0) request.onPrefix?.();
    let looked = performance.now();
    for (let drawn = Math.max(1, drawnBefore) + 1; drawn <= end - start && !over; drawn++) {
      await runner.run(step);
      const now = performance.now();
      const textStop = stream === 'text' && (drawn - 1) % TEXT_STEPS_PER_SUBMISSION === 0;
      if (textStop || (watched && now - looked >= PREVIEW_EVERY_MS)) {
        looked = now;
        const known = given.length + drawn;
        await tap.sample(runner, ([tokenData, doneData]) => {
          const flags = doneData!.subarray(0, candidates);
          over ||= flags.includes(NO_NUMBERS) || (stream === 'text' && flags.every((flag) => flag !== 0));
          report(split(tokenData!), known);
        });
      }
    }
    await runner.idle();
    const ends = new Uint32Array(await readBack(gpu.device, done, 0, candidates * 4, signal));
    if (ends.includes(NO_NUMBERS)) throw noNumbers({ candidate: first + ends.indexOf(NO_NUMBERS) });
    return split(new Uint32Array(await readBack(gpu.device, tokens, 0, candidates * sequenceLength * 4, signal)));
  } finally {
    tap.dispose();
  }
}

/**
 * Computes keys and values of `count` tokens from position `start` on, which stand in their places already, as the steps did that drew them:
 * without logits and draws. The next step then draws behind them.
 */
async function replay(
  arena: Arena,
  runner: Runner,
  { body, state }: Batch,
  start: number,
  count: number,
): Promise<void> {
  const positions = arena.upload(
    'positions of known tokens',
    Uint32Array.from({ length: count }, (_, i) => start + i),
  );
  for (let i = 0; i < count; i++) {
    runner.copy(positions, 4 * i, state, 4, 4); // what the draw of this token has left in state[1]
    if (i < count - 1) await runner.run([...body.embed, ...body.layers.flat()]);
  }
}

/** Better no result than noise. */
export function noNumbers(details: Readonly<Record<string, unknown>>): RudolphError {
  return new RudolphError(
    'self-test',
    'the model computed values that are no numbers (NaN): this graphics adapter or its driver computes wrongly, or the weights are damaged',
    details,
  );
}
