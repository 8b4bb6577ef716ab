import { RudolphError } from '../errors';
import { Arena, readBack } from '../gpu/buffers';
import { Runner } from '../gpu/runner';
import { KeyValueCache } from './cache';
import { checkSampling, classBits, NO_TOKEN, type Sampler, type SampleSpec } from './sampler';
import { TokenTap } from './tokenTap';
import type { Transformer } from './transformer';

/** Sequences computed in one batch; a guided candidate is two. More would cost memory for caches and no longer gain time. */
const MOST_SEQUENCES = 48;
/** A text step looks at its `done` flags this often; with two submissions in flight, at most 8 tokens run ahead. */
const TEXT_STEPS_PER_SUBMISSION = 4;
const PREVIEW_EVERY_MS = 120;
/** The id that closes a text. */
export const END = 3;

export interface GenerateRequest {
  /** Ids of the shared prefix, from position 0 on. */
  readonly prefix: readonly number[];
  /**
   * The unconditional prefix, as long as `prefix`, and the weight of its branch, 0 ≤ w ≤ 1: upstream's `cfg`, see `SampleSpec.guidance`.
   * Every candidate is then two sequences with the same tokens behind different prefixes.
   */
  readonly guidance?: { readonly prefix: readonly number[]; readonly weight: number };
  /** One behind the last position to generate. */
  readonly end: number;
  /** Candidates; drawn in batches that fit the device. A candidate's draws depend on the seed and its number only. */
  readonly count: number;
  /** Candidates drawn together at most; by default as many as are sensible. */
  readonly batch?: number;
  /** Which classes are sampled: the first `classes` of the stream's. */
  readonly stream: 'text' | 'image';
  readonly classes: number;
  /** Text only: ids from here on count as the end, id 3. */
  readonly endFrom?: number;
  /** Text only: no other ids than these and the end, 3, may be drawn. */
  readonly allowed?: readonly number[];
  readonly sampling: {
    readonly seed: number;
    readonly topK: number;
    readonly topP: number;
    readonly temperature: number;
  };
  /** [sequence length]: ids that are not sampled but given; NO_TOKEN elsewhere. Those right behind the prefix are computed with it, at once. */
  readonly forced?: Uint32Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
  /** Tokens of all candidates that there are, given ones included, now and then; at the end (total, total). */
  readonly onProgress?: (done: number, total: number) => void;
  /**
   * Tokens of the candidates begun so far, those of finished batches first, now and then and whenever a batch is finished:
   * [candidates][end − prefix.length], of which the first `known[c]` are there.
   */
  readonly onTokens?: (tokens: readonly ArrayLike<number>[], known: readonly number[]) => void;
  /** The prefix is computed; called once. */
  readonly onPrefix?: () => void;
}

/** What all batches share. */
interface Plan {
  readonly transformer: Transformer;
  readonly sampler: Sampler;
  readonly request: GenerateRequest;
  readonly runner: Runner;
  /** Given ids right behind the prefix: part of the cache's prefixes, and of every result. */
  readonly given: readonly number[];
  /** First position that is drawn. */
  readonly start: number;
  /** 2 under guidance: sequence c is candidate c behind prefix 0, sequence candidates + c the same behind prefix 1. */
  readonly branches: number;
  readonly cache: KeyValueCache;
  /** (branches, classes): of the last position before `start`. */
  readonly logits: GPUBuffer;
  readonly forced: GPUBuffer;
  readonly allowed: GPUBuffer | null;
}

/**
 * Generates tokens behind a shared prefix, which is computed once for all batches. The loop lives on the GPU: each step encodes the
 * same commands with the same bind groups, the sampled token is written where the next step's `embed` reads it, and nothing is read
 * back before a batch's end; copies for progress are looked at when they happen to be there.
 * @returns [count][end − prefix.length] ids. A text that ended holds 3, then zeros.
 * @throws RudolphError `bad-input` for sampling options, a weight or allowed ids out of range; `out-of-memory` when not even one candidate fits.
 */
export async function generate(
  transformer: Transformer,
  sampler: Sampler,
  request: GenerateRequest,
): Promise<Uint32Array[]> {
  const { gpu, config, sequenceLength } = transformer;
  const { prefix, guidance, count, classes, end } = request;
  checkSampling({ ...request.sampling, count, guidance: guidance?.weight });
  if (guidance && guidance.prefix.length !== prefix.length)
    throw new Error(`generate: the prefixes have ${prefix.length} and ${guidance.prefix.length} ids`);
  const length = end - prefix.length;
  const given = givenBehindPrefix(request);
  const start = prefix.length + given.length;
  const results: Uint32Array[] = [];
  const report = (drawing: readonly Uint32Array[], known: number): void => {
    request.onProgress?.(results.length * length + drawing.length * known, count * length);
    request.onTokens?.([...results, ...drawing], [...results.map(() => length), ...drawing.map(() => known)]);
  };
  if (start === end) {
    for (let c = 0; c < count; c++) results.push(Uint32Array.from(given));
    request.onPrefix?.();
    report([], 0);
    return results;
  }

  const branches = guidance ? 2 : 1;
  const most = Math.min(count, request.batch ?? MOST_SEQUENCES / branches);
  const shape = {
    prefixes: branches,
    prefixLength: start,
    sequences: most * branches,
    tailLength: end - start,
    rings: request.stream === 'image',
  };
  const { maxStorageBufferBindingSize } = gpu.device.limits;
  const sequences = KeyValueCache.sequencesThatFit(config, shape, maxStorageBufferBindingSize, branches);
  const together = sequences / branches;
  const arena = new Arena(gpu.device);
  try {
    const plan: Plan = {
      transformer,
      sampler,
      request,
      runner: new Runner(gpu.device, request.signal),
      given,
      start,
      branches,
      cache: new KeyValueCache(arena, config, { ...shape, sequences }),
      logits: arena.buffer('logits behind the prefix', branches * classes * 4),
      forced: arena.upload('forced', request.forced ?? new Uint32Array(sequenceLength).fill(NO_TOKEN)),
      allowed: request.allowed ? arena.upload('allowed', classBits([...request.allowed, END], classes)) : null,
    };
    await computePrefixes(plan);
    for (let first = 0; first < count; first += together) {
      const candidates = Math.min(together, count - first);
      results.push(...(await drawBatch(plan, first, candidates, report)));
      report([], 0);
    }
    return results;
  } finally {
    arena.dispose();
  }
}

/** Given ids right behind the prefix. An end among them is left to the loop, which closes the text there. */
function givenBehindPrefix({ prefix, end, forced, stream }: GenerateRequest): number[] {
  if (!forced) return [];
  const ids = forced.subarray(prefix.length, end);
  const stop = ids.findIndex((id) => id === NO_TOKEN || (stream === 'text' && id === END));
  return Array.from(stop < 0 ? ids : ids.subarray(0, stop));
}

/** Fills the cache's prefixes and computes the logits behind them. */
async function computePrefixes({
  transformer,
  request,
  runner,
  given,
  start,
  branches,
  cache,
  logits,
}: Plan): Promise<void> {
  const { prefix, guidance, stream, classes } = request;
  const { sequenceLength } = transformer;
  const ids = new Uint32Array(branches * sequenceLength);
  [prefix, ...(guidance ? [guidance.prefix] : [])].forEach((branch, b) =>
    ids.set([...branch, ...given], b * sequenceLength),
  );
  // Of its own: the activations of a whole prefix are large, and not needed while tokens are drawn.
  const arena = new Arena(transformer.gpu.device);
  try {
    const body = await transformer.recordBody(arena, {
      cache,
      tokens: arena.upload('prefixes', ids),
      state: arena.buffer('state', (4 + branches) * 4), // zeros: from position 0 on
      sequences: branches,
      rowsPerSequence: start,
      mode: 'prefixes',
    });
    const head = { normed: body.normed, first: start - 1, step: start, rows: branches };
    await runner.run([
      ...body.embed,
      ...body.layers.flat(),
      ...(await transformer.recordHead(arena, { ...head, stream, classes, logits })),
    ]);
    await runner.flush();
  } finally {
    arena.dispose();
  }
}

/**
 * Draws candidates `first` … `first` + `candidates` − 1.
 * @param report called now and then with [candidates][end − prefix.length] tokens and how many of each there are.
 */
async function drawBatch(
  plan: Plan,
  first: number,
  candidates: number,
  report: (tokens: readonly Uint32Array[], known: number) => void,
): Promise<Uint32Array[]> {
  const { transformer, sampler, request, runner, given, start, branches, forced, allowed } = plan;
  const { device } = transformer.gpu;
  const { sequenceLength } = transformer;
  const { prefix, end, stream, classes, guidance } = request;
  const sequences = branches * candidates;
  const arena = new Arena(device);
  let tap: TokenTap | null = null;
  try {
    const ids = new Uint32Array(sequences * sequenceLength);
    for (let s = 0; s < sequences; s++) ids.set(given, s * sequenceLength + prefix.length);
    const tokens = arena.upload('tokens', ids);
    // Position 0, then for each sequence the prefix it continues.
    const continued = Array.from({ length: sequences }, (_, s) => Math.floor(s / candidates));
    const state = arena.upload('state', Uint32Array.of(0, 0, 0, 0, ...continued));
    const done = arena.buffer('done', candidates * 4);
    const logits = arena.buffer('logits', sequences * classes * 4);
    const sample: Omit<SampleSpec, 'logits' | 'logitsRows' | 'positionOffset'> = {
      rowStride: classes,
      firstClass: 0,
      classes,
      candidates,
      candidateOffset: first,
      sequenceLength,
      state,
      tokens,
      forced,
      done,
      ...request.sampling,
      ...(stream === 'text' ? { endId: END } : {}),
      ...(request.endFrom === undefined ? {} : { endFrom: request.endFrom }),
      ...(allowed ? { allowed } : {}),
      ...(guidance ? { guidance: guidance.weight } : {}),
    };
    const begin = await sampler.record(arena, { ...sample, logits: plan.logits, logitsRows: 1, positionOffset: start });
    const body = await transformer.recordBody(arena, {
      cache: plan.cache,
      tokens,
      state,
      sequences,
      rowsPerSequence: 1,
      mode: 'step',
    });
    const head = { normed: body.normed, first: 0, step: 1, rows: sequences };
    const step = [
      ...body.embed,
      ...body.layers.flat(),
      ...(await transformer.recordHead(arena, { ...head, stream, classes, logits })),
      ...(await sampler.record(arena, { ...sample, logits, logitsRows: candidates, positionOffset: 1 })),
    ];

    const split = (data: Uint32Array): Uint32Array[] =>
      Array.from({ length: candidates }, (_, c) =>
        data.subarray(c * sequenceLength + prefix.length, c * sequenceLength + end),
      );
    const watched = request.onTokens !== undefined || request.onProgress !== undefined;
    let allDone = false;
    tap = new TokenTap(device, [tokens, done]);
    await runner.run(begin);
    await runner.flush();
    if (first === 0) request.onPrefix?.();
    let looked = performance.now();
    for (let drawn = 2; drawn <= end - start && !allDone; drawn++) {
      await runner.run(step);
      const now = performance.now();
      const textStop = stream === 'text' && (drawn - 1) % TEXT_STEPS_PER_SUBMISSION === 0;
      if (textStop || (watched && now - looked >= PREVIEW_EVERY_MS)) {
        looked = now;
        const known = given.length + drawn;
        await tap.sample(runner, ([tokenData, doneData]) => {
          if (stream === 'text') allDone = doneData!.subarray(0, candidates).every((flag) => flag !== 0);
          report(split(tokenData!), known);
        });
      }
    }
    await runner.idle();
    const ends = new Uint32Array(await readBack(device, done, 0, candidates * 4));
    if (ends.includes(2)) throw noNumbers({ candidate: first + ends.indexOf(2) });
    return split(new Uint32Array(await readBack(device, tokens, 0, candidates * sequenceLength * 4)));
  } finally {
    tap?.dispose();
    arena.dispose();
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
