import type { Arena } from '../gpu/buffers';
import type { Dispatch } from '../gpu/kernel';
import { KeyValueCache } from './cache';
import type { Drawn } from './drawn';
import { checkSampling, classBits, NO_TOKEN, type Sampler, type SampleSpec } from './sampler';
import type { Body, Transformer } from './transformer';

/** Sequences computed in one batch; a guided candidate is two. More would cost memory for caches and no longer gain time. */
const MOST_SEQUENCES = 48;
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
  /** What an earlier call with the same request has drawn: not drawn again. Kept up to date. */
  readonly drawn?: Drawn;
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

/** One batch of candidates, recorded. */
export interface Batch {
  readonly candidates: number;
  /** Tokens of each candidate that there are before the batch begins, given ones included. */
  readonly known: number;
  /** Draws the first token from the logits behind the prefix. */
  readonly begin: readonly Dispatch[];
  /** Of a step: embed and layers. */
  readonly body: Body;
  /** Embeds the last token, and draws the next one. */
  readonly step: readonly Dispatch[];
  /** (sequences, sequence length) u32. */
  readonly tokens: GPUBuffer;
  /** See shaders/parts/cache.wgsl. */
  readonly state: GPUBuffer;
  /** (candidates) u32, see `SampleSpec.done`. */
  readonly done: GPUBuffer;
  /** What `done` holds before the batch begins. */
  readonly closed: Uint32Array;
}

/** What all batches of one call of `generate` share, and how they are recorded. Also done on paper, to know what it takes. */
export class Generation {
  readonly transformer: Transformer;
  readonly request: GenerateRequest;
  /** Given ids right behind the prefix: part of the cache's prefixes, and of every result. */
  readonly given: readonly number[];
  /** First position that is drawn. */
  readonly start: number;
  /** Candidates of a batch at most. */
  readonly together: number;
  readonly #sampler: Sampler;
  /** 2 under guidance: sequence c is candidate c behind prefix 0, sequence candidates + c the same behind prefix 1. */
  readonly #branches: number;
  readonly #cache: KeyValueCache;
  /** (branches, classes): of the last position before `start`. */
  readonly #logits: GPUBuffer;
  readonly #forced: GPUBuffer;
  readonly #allowed: GPUBuffer | null;

  /**
   * Buffers belong to `arena`.
   * @throws RudolphError `bad-input` for sampling options, a weight or allowed ids out of range; `out-of-memory` when not even one candidate
   *   fits the device's largest binding.
   */
  constructor(arena: Arena, transformer: Transformer, sampler: Sampler, request: GenerateRequest) {
    const { gpu, config, sequenceLength } = transformer;
    const { prefix, guidance, count, classes, end } = request;
    checkSampling({ ...request.sampling, count, guidance: guidance?.weight });
    if (guidance && guidance.prefix.length !== prefix.length)
      throw new Error(`generate: the prefixes have ${prefix.length} and ${guidance.prefix.length} ids`);
    this.transformer = transformer;
    this.request = request;
    this.#sampler = sampler;
    this.given = givenBehindPrefix(request);
    this.start = prefix.length + this.given.length;
    const branches = guidance ? 2 : 1;
    this.#branches = branches;
    const most = Math.min(count, request.batch ?? MOST_SEQUENCES / branches);
    const shape = {
      prefixes: branches,
      prefixLength: this.start,
      sequences: most * branches,
      tailLength: Math.max(1, end - this.start),
      rings: request.stream === 'image',
    };
    const { maxStorageBufferBindingSize } = gpu.device.limits;
    const sequences = KeyValueCache.sequencesThatFit(config, shape, maxStorageBufferBindingSize, branches);
    this.together = sequences / branches;
    this.#cache = new KeyValueCache(arena, config, { ...shape, sequences });
    this.#logits = arena.buffer('logits behind the prefix', branches * classes * 4);
    this.#forced = arena.upload('forced', request.forced ?? new Uint32Array(sequenceLength).fill(NO_TOKEN));
    this.#allowed = request.allowed ? arena.upload('allowed', classBits([...request.allowed, END], classes)) : null;
  }

  /** Records filling the cache's prefixes and the logits behind them. Run it before `arena` is disposed of. */
  async recordPrefixes(arena: Arena): Promise<Dispatch[]> {
    const { transformer, given, start } = this;
    const { prefix, guidance, stream, classes } = this.request;
    const branches = this.#branches;
    const ids = new Uint32Array(branches * transformer.sequenceLength);
    [prefix, ...(guidance ? [guidance.prefix] : [])].forEach((branch, b) =>
      ids.set([...branch, ...given], b * transformer.sequenceLength),
    );
    const body = await transformer.recordBody(arena, {
      cache: this.#cache,
      tokens: arena.upload('prefixes', ids),
      state: arena.buffer('state', (4 + branches) * 4), // zeros: from position 0 on
      sequences: branches,
      rowsPerSequence: start,
      mode: 'prefixes',
    });
    const head = { normed: body.normed, first: start - 1, step: start, rows: branches };
    const logits = await transformer.recordHead(arena, { ...head, stream, classes, logits: this.#logits });
    await arena.allocated();
    return [...body.embed, ...body.layers.flat(), ...logits];
  }

  /** Records the drawing of candidates `first` … `first` + `candidates` − 1, behind the tokens of theirs that are known. */
  async recordBatch(arena: Arena, first: number, candidates: number): Promise<Batch> {
    const { transformer, given, start, request } = this;
    const sampler = this.#sampler;
    const { sequenceLength } = transformer;
    const { prefix, stream, classes, guidance } = request;
    const sequences = this.#branches * candidates;
    const before = request.drawn?.begun(candidates) ?? { tokens: [], known: 0 };
    const known = Math.max(given.length, before.known);
    const tokensOf = (candidate: number): readonly number[] | Uint32Array =>
      known > given.length ? before.tokens[candidate]!.subarray(0, known) : given;
    const ids = new Uint32Array(sequences * sequenceLength);
    for (let s = 0; s < sequences; s++) ids.set(tokensOf(s % candidates), s * sequenceLength + prefix.length);
    const tokens = arena.upload('tokens', ids);
    // Position 0, then for each sequence the prefix it continues.
    const continued = Array.from({ length: sequences }, (_, s) => Math.floor(s / candidates));
    const state = arena.upload('state', Uint32Array.of(0, 0, 0, 0, ...continued));
    const closed = Uint32Array.from({ length: candidates }, (_, c) =>
      stream === 'text' && tokensOf(c).includes(END) ? 1 : 0,
    );
    const done = arena.upload('done', closed);
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
      forced: this.#forced,
      done,
      ...request.sampling,
      ...(stream === 'text' ? { endId: END } : {}),
      ...(request.endFrom === undefined ? {} : { endFrom: request.endFrom }),
      ...(this.#allowed ? { allowed: this.#allowed } : {}),
      ...(guidance ? { guidance: guidance.weight } : {}),
    };
    const behindPrefix = { logits: this.#logits, logitsRows: 1, positionOffset: start };
    const begin = await sampler.record(arena, { ...sample, ...behindPrefix });
    const body = await transformer.recordBody(arena, {
      cache: this.#cache,
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
    await arena.allocated();
    return { candidates, known, begin, body, step, tokens, state, done, closed };
  }
}

/** Given ids right behind the prefix. An end among them is left to the loop, which closes the text there. */
export function givenBehindPrefix({ prefix, end, forced, stream }: GenerateRequest): number[] {
  if (!forced) return [];
  const ids = forced.subarray(prefix.length, end);
  const stop = ids.findIndex((id) => id === NO_TOKEN || (stream === 'text' && id === END));
  return Array.from(stop < 0 ? ids : ids.subarray(0, stop));
}
