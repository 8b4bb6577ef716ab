import { RudolphError } from '../errors';
import { Arena, readBack } from '../gpu/buffers';
import { Runner } from '../gpu/runner';
import { KeyValueCache } from './cache';
import { NO_TOKEN, type Sampler } from './sampler';
import { TokenTap } from './tokenTap';
import type { Transformer } from './transformer';

/** A text step looks at its `done` flags this often; with two submissions in flight, at most 8 tokens run ahead. */
const TEXT_STEPS_PER_SUBMISSION = 4;
const PREVIEW_EVERY_MS = 120;

export interface GenerateRequest {
  /** Ids of the shared prefix, from position 0 on. */
  readonly prefix: readonly number[];
  /** One behind the last position to generate. */
  readonly end: number;
  /** Candidates drawn together; the first is number `firstCandidate`. */
  readonly candidates: number;
  readonly firstCandidate: number;
  /** Which classes are sampled: the first `classes` of the stream's. */
  readonly stream: 'text' | 'image';
  readonly classes: number;
  /** Text only: ids from here on count as the end, id 3. */
  readonly endFrom?: number;
  readonly sampling: {
    readonly seed: number;
    readonly topK: number;
    readonly topP: number;
    readonly temperature: number;
  };
  /** [sequence length]: ids that are not sampled but given; NO_TOKEN elsewhere. */
  readonly forced?: Uint32Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
  /** Tokens of all candidates so far ([candidates][end − prefix], `known` of them drawn), now and then. */
  readonly onTokens?: (tokens: readonly Uint32Array[], known: number) => void;
  readonly onPrefix?: () => void;
}

/**
 * Generates tokens behind a shared prefix. The loop lives on the GPU: each step encodes the same commands with the same
 * bind groups, the sampled token is written where the next step's `embed` reads it, and nothing is read back before the end;
 * copies for progress are looked at when they happen to be there.
 * @returns [candidates][end − prefix.length] ids. A text that ended holds 3, then zeros.
 */
export async function generate(
  transformer: Transformer,
  sampler: Sampler,
  request: GenerateRequest,
): Promise<Uint32Array[]> {
  const { gpu, config, sequenceLength } = transformer;
  const { device } = gpu;
  const prefixLength = request.prefix.length;
  const { candidates, classes, end } = request;
  const count = end - prefixLength;
  const arena = new Arena(device);
  let tap: TokenTap | null = null;
  try {
    const cache = new KeyValueCache(arena, config, {
      prefixes: 1,
      prefixLength,
      sequences: candidates,
      tailLength: count,
      rings: request.stream === 'image',
    });
    const prefixTokens = arena.upload('prefix', padded(request.prefix, sequenceLength));
    const tokens = arena.buffer('tokens', candidates * sequenceLength * 4);
    const state = arena.buffer('state', (4 + candidates) * 4); // zeros: position 0, every sequence continues prefix 0
    const forced = arena.upload('forced', request.forced ?? new Uint32Array(sequenceLength).fill(NO_TOKEN));
    const done = arena.buffer('done', candidates * 4);
    const rows = { prefix: 1, step: candidates };
    const logits = arena.buffer('logits', candidates * classes * 4);
    const recordSample = (logitsRows: number, positionOffset: number): ReturnType<Sampler['record']> =>
      sampler.record(arena, {
        logits,
        logitsRows,
        rowStride: classes,
        firstClass: 0,
        classes,
        candidates,
        candidateOffset: request.firstCandidate,
        sequenceLength,
        positionOffset,
        state,
        tokens,
        forced,
        done,
        ...request.sampling,
        ...(request.endFrom === undefined ? {} : { endFrom: request.endFrom, endId: 3 }),
      });
    const head = (
      body: { normed: GPUBuffer },
      first: number,
      headRows: number,
    ): ReturnType<Transformer['recordHead']> =>
      transformer.recordHead(arena, {
        normed: body.normed,
        first,
        step: 1,
        rows: headRows,
        stream: request.stream,
        classes,
        logits,
      });

    const prefill = await transformer.recordBody(arena, {
      cache,
      tokens: prefixTokens,
      state,
      sequences: 1,
      rowsPerSequence: prefixLength,
      mode: 'prefixes',
    });
    const first = [
      ...prefill.embed,
      ...prefill.layers.flat(),
      ...(await head(prefill, prefixLength - 1, rows.prefix)),
      recordSample(1, prefixLength),
    ];
    const body = await transformer.recordBody(arena, {
      cache,
      tokens,
      state,
      sequences: candidates,
      rowsPerSequence: 1,
      mode: 'step',
    });
    const step = [
      ...body.embed,
      ...body.layers.flat(),
      ...(await head(body, 0, rows.step)),
      recordSample(candidates, 1),
    ];

    const split = (data: Uint32Array): Uint32Array[] =>
      Array.from({ length: candidates }, (_, c) =>
        data.subarray(c * sequenceLength + prefixLength, c * sequenceLength + end),
      );
    let allDone = false;
    const { onTokens } = request;
    tap = new TokenTap(device, [tokens, done]);

    const runner = new Runner(device, request.signal);
    await runner.run(first);
    await runner.flush();
    request.onPrefix?.();
    let looked = performance.now();
    for (let known = 1; known < count && !allDone; known++) {
      await runner.run(step);
      const now = performance.now();
      const textStop = request.stream === 'text' && known % TEXT_STEPS_PER_SUBMISSION === 0;
      if (textStop || (onTokens && now - looked >= PREVIEW_EVERY_MS)) {
        looked = now;
        const drawn = known + 1;
        await tap.sample(runner, ([tokenData, doneData]) => {
          if (request.stream === 'text') allDone = doneData!.subarray(0, candidates).every((flag) => flag !== 0);
          onTokens?.(split(tokenData!), drawn);
        });
      }
    }
    await runner.idle();
    const ends = new Uint32Array(await readBack(device, done, 0, candidates * 4));
    if (ends.includes(2)) {
      throw new RudolphError(
        'self-test',
        'the model computed values that are no numbers (NaN): this graphics adapter or its driver computes wrongly, or the weights are damaged',
        {
          candidate: request.firstCandidate + ends.indexOf(2),
        },
      );
    }
    return split(new Uint32Array(await readBack(device, tokens, 0, candidates * sequenceLength * 4)));
  } finally {
    tap?.dispose();
    arena.dispose();
  }
}

function padded(ids: readonly number[], length: number): Uint32Array<ArrayBuffer> {
  const result = new Uint32Array(length);
  result.set(ids);
  return result;
}
