import { RudolphError } from '../errors';
import type { ModelConfig } from '../format/manifest';
import { abortable } from '../gpu/abortable';
import { Arena, readBack } from '../gpu/buffers';
import type { Dispatch } from '../gpu/kernel';
import { Runner } from '../gpu/runner';
import { CACHE_BYTES, KeyValueCache, type CacheShape } from './cache';
import { checkIds } from './forward';
import { noNumbers } from './generate';
import { recordPerplexities, type Targets } from './perplexities';
import type { Body, BodySpec, Transformer } from './transformer';

/** Rows of one pass, unless one sequence has more: beyond, matrices gain nothing and memory and submissions only grow. */
const MOST_ROWS = { software: 256, hardware: 1024 } as const;

export type Stream = 'left' | 'image' | 'right';

export interface ScoreRequest {
  /** [P] equally long id sequences from position 0 on, each computed once and shared by the tails that continue it. */
  readonly prefixes: readonly (readonly number[])[];
  /** [N] equally long continuations; may be empty, then only prefixes are scored. */
  readonly tails: readonly { readonly prefix: number; readonly ids: readonly number[] }[];
  /** Streams to score; each lies wholly in the prefixes or wholly in the tails. A stream may end early. */
  readonly streams: readonly Stream[];
  readonly signal?: AbortSignal;
  /** Positions computed so far, and of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A stream to be scored, as it lies in the prefixes or in the tails. */
interface Part {
  readonly stream: Stream;
  readonly head: 'text' | 'image';
  /** The softmax is over the first so many: text without pads, image without special ids. */
  readonly classes: number;
  /** Positions of the labels. A stream's first token is never scored: nothing of the stream predicts it. */
  readonly first: number;
  readonly end: number;
}

/** Sequences that are computed alike: all prefixes, or all tails. */
interface Segment {
  readonly mode: 'prefixes' | 'tails';
  /** Position of the first id. */
  readonly base: number;
  /** Rows to compute of each sequence; those behind the last scored label are not needed. */
  readonly rows: number;
  readonly parts: readonly Part[];
  /** (parts, sequences) f32, in the order of computation. */
  readonly results: GPUBuffer;
  readonly count: number;
}

/**
 * Perplexity of each stream asked for: one a tail where the stream lies in the tails, else one a prefix. Perplexity is the arithmetic
 * mean of exp(cross-entropy) over the scored positions, as upstream's `ce_to_ppl`: texts are scored among the classes without pads and
 * labels equal to 0 are skipped; images among the classes without special ids, id 0 included. A loss of exactly 0 drops out; where
 * nothing is scored the perplexity is 1. Keys and values are f32, so splitting off tails changes nothing but the order of sums.
 *
 * Prefixes are computed in groups and stay in the cache while the batches of their tails run; both are as large as the device's
 * bindings allow. Pads behind the last label of right text are not computed. Only perplexities are read back.
 * @throws RudolphError `bad-input` for ids, lengths or streams out of range; `out-of-memory` when not even one sequence fits;
 *   `self-test` when values are no numbers; the signal's reason as soon as there is one.
 */
export async function score(
  transformer: Transformer,
  request: ScoreRequest,
): Promise<Partial<Record<Stream, number[]>>> {
  const { prefixes, tails } = request;
  const { prefixParts, tailParts } = check(transformer, request);
  const tailBase = prefixes[0]!.length;
  const tailRows = neededRows(
    tailParts,
    tails.map(({ ids }) => ids),
    tailBase,
  );
  // In the order of computation: indices of prefixes, and of tails behind them.
  const order = [...prefixes.keys()].filter(
    (p) => prefixParts.length > 0 || (tailRows > 0 && tails.some((tail) => tail.prefix === p)),
  );
  const tailOrder = tailRows > 0 ? order.flatMap((p) => [...tails.keys()].filter((t) => tails[t]!.prefix === p)) : [];
  const prefixRows = tailRows > 0 ? tailBase : neededRows(prefixParts, prefixes, 0);
  const found: Partial<Record<Stream, number[]>> = {};
  for (const { stream } of prefixParts) found[stream] = new Array<number>(prefixes.length).fill(1);
  for (const { stream } of tailParts) found[stream] = new Array<number>(tails.length).fill(1);
  if (prefixRows === 0 || order.length === 0) return found;

  const { gpu } = transformer;
  const runner = new Runner(gpu.device, request.signal);
  const arena = new Arena(gpu.device);
  const shape = fittingShape(transformer.config, {
    prefixRows,
    prefixes: order.length,
    tailRows,
    tails: tailOrder.length,
    mostRows: MOST_ROWS[gpu.adapter.software ? 'software' : 'hardware'],
    bindingBytes: gpu.device.limits.maxStorageBufferBindingSize,
  });
  const opened: Pass[] = [];
  try {
    const cache = new KeyValueCache(arena, transformer.config, shape);
    const pass = (segment: Omit<Segment, 'results'>): Pass => {
      const results = arena.buffer(`perplexities of ${segment.mode}`, segment.parts.length * segment.count * 4);
      const made = new Pass(transformer, cache, { ...segment, results }, request.signal);
      opened.push(made);
      return made;
    };
    const passes = {
      prefixes: pass({ mode: 'prefixes', base: 0, rows: prefixRows, parts: prefixParts, count: order.length }),
      tails: pass({ mode: 'tails', base: tailBase, rows: tailRows, parts: tailParts, count: tailOrder.length }),
    };
    await arena.allocated();
    const total = order.length * prefixRows + tailOrder.length * tailRows;
    let done = 0;
    const report = (rows: number): void => request.onProgress?.((done += rows), total);
    report(0);
    let tailsDone = 0;
    for (const [first, group] of batches(order, shape.prefixes)) {
      await passes.prefixes.run(runner, {
        first,
        ids: group.map((p) => prefixes[p]!),
        continued: group.map(() => 0),
      });
      report(group.length * prefixRows);
      const behind = tailOrder.filter((t) => group.includes(tails[t]!.prefix));
      for (const [offset, batch] of batches(behind, shape.sequences)) {
        await passes.tails.run(runner, {
          first: tailsDone + offset,
          ids: batch.map((t) => tails[t]!.ids),
          continued: batch.map((t) => group.indexOf(tails[t]!.prefix)),
        });
        report(batch.length * tailRows);
      }
      tailsDone += behind.length;
    }
    await runner.idle();
    await passes.prefixes.read(order, found);
    await passes.tails.read(tailOrder, found);
    return found;
  } finally {
    for (const pass of opened) pass.dispose();
    arena.dispose();
  }
}

/** Computes batches of prefixes or of tails. The layers are recorded once for batches of the same size. */
class Pass {
  readonly #transformer: Transformer;
  readonly #cache: KeyValueCache;
  readonly #segment: Segment;
  readonly #signal: AbortSignal | undefined;
  #recorded: { readonly arena: Arena; readonly spec: BodySpec; readonly body: Body } | null = null;

  constructor(transformer: Transformer, cache: KeyValueCache, segment: Segment, signal: AbortSignal | undefined) {
    this.#transformer = transformer;
    this.#cache = cache;
    this.#segment = segment;
    this.#signal = signal;
  }

  /** @param batch `first`: place of the first result; `continued`: the slot of the cached prefix that each sequence continues. */
  async run(
    runner: Runner,
    batch: {
      readonly first: number;
      readonly ids: readonly (readonly number[])[];
      readonly continued: readonly number[];
    },
  ): Promise<void> {
    const { gpu, sequenceLength } = this.#transformer;
    const { base, rows, parts, results, count } = this.#segment;
    const { spec, body } = await this.#record(batch.ids.length);
    const tokens = new Uint32Array(batch.ids.length * sequenceLength);
    batch.ids.forEach((ids, s) => tokens.set(ids.slice(0, rows), s * sequenceLength + base));
    gpu.device.queue.writeBuffer(spec.tokens, 0, tokens);
    gpu.device.queue.writeBuffer(spec.state, 0, Uint32Array.of(base, 0, 0, 0, ...batch.continued));
    await runner.run(body.embed);
    await runner.run(body.layers.flat());
    const arena = new Arena(gpu.device);
    try {
      if (parts.length > 0) {
        const record = async (): Promise<Dispatch[]> => {
          const norm = { normed: body.normed, first: 0, step: 1, rows: batch.ids.length * rows };
          const normed = await this.#transformer.recordHeadNorm(arena, norm);
          const dispatches: Dispatch[] = [normed.dispatch];
          for (const [p, part] of parts.entries()) {
            dispatches.push(
              ...(await recordPerplexities(gpu, arena, {
                label: `${part.stream} perplexities`,
                x: normed.y,
                ...this.#transformer.classes(part.head),
                classes: part.classes,
                targets: targetsOf(part, batch.ids, base, rows),
                results,
                firstResult: p * count + batch.first,
              })),
            );
          }
          await arena.allocated();
          return dispatches;
        };
        await runner.run(await abortable(record(), this.#signal));
      }
      // Before anything is written or destroyed: what was added so far has to be submitted.
      await runner.flush();
    } finally {
      arena.dispose();
    }
  }

  /** Puts the results in their places. @param order of sequence n, which was computed as the n-th. */
  async read(order: readonly number[], found: Partial<Record<Stream, number[]>>): Promise<void> {
    const { parts, results, count } = this.#segment;
    if (parts.length * count === 0) return;
    const { device } = this.#transformer.gpu;
    const bytes = await readBack(device, results, 0, parts.length * count * 4, this.#signal);
    const values = new Float32Array(bytes);
    parts.forEach(({ stream }, p) => {
      order.forEach((index, n) => {
        const value = values[p * count + n]!;
        if (!(value > 0)) throw noNumbers({ stream, sequence: index });
        found[stream]![index] = value;
      });
    });
  }

  dispose(): void {
    this.#recorded?.arena.dispose();
    this.#recorded = null;
  }

  async #record(sequences: number): Promise<{ readonly spec: BodySpec; readonly body: Body }> {
    if (this.#recorded?.spec.sequences === sequences) return this.#recorded;
    this.dispose(); // submitted commands keep what they use
    const arena = new Arena(this.#transformer.gpu.device);
    try {
      const spec: BodySpec = {
        cache: this.#cache,
        tokens: arena.buffer('tokens', sequences * this.#transformer.sequenceLength * 4),
        state: arena.buffer('state', (4 + sequences) * 4),
        sequences,
        rowsPerSequence: this.#segment.rows,
        mode: this.#segment.mode,
      };
      const body = await abortable(this.#transformer.recordBody(arena, spec), this.#signal);
      await arena.allocated();
      this.#recorded = { arena, spec, body };
      return this.#recorded;
    } catch (error) {
      arena.dispose();
      throw error;
    }
  }
}

/** The rows of a pass that predict labels, and those labels. */
function targetsOf(part: Part, sequences: readonly (readonly number[])[], base: number, rows: number): Targets {
  const scored = sequences.map((ids) => scoredPositions(part, ids, base));
  return {
    rows: scored.map((positions, s) => positions.map((position) => s * rows + position - 1 - base)),
    labels: scored.map((positions, s) => positions.map((position) => sequences[s]![position - base]!)),
  };
}

/** Positions of the labels that count. `ids` begin at position `base`. */
function scoredPositions({ head, first, end }: Part, ids: readonly number[], base: number): number[] {
  const positions: number[] = [];
  for (let position = first; position < end; position++)
    if (head === 'image' || ids[position - base] !== 0) positions.push(position);
  return positions;
}

/** Rows of each sequence up to the one that predicts the last label of any of them; 0 where nothing is scored. */
function neededRows(parts: readonly Part[], sequences: readonly (readonly number[])[], base: number): number {
  const last = parts.flatMap((part) => sequences.map((ids) => scoredPositions(part, ids, base).at(-1) ?? base));
  return Math.max(0, ...last.map((position) => position - base));
}

/** Evenly sized batches of at most `most`, each with its first index. */
function batches<T>(list: readonly T[], most: number): [first: number, batch: readonly T[]][] {
  const size = Math.ceil(list.length / Math.max(1, Math.ceil(list.length / most)));
  const found: [number, readonly T[]][] = [];
  for (let first = 0; first < list.length; first += size) found.push([first, list.slice(first, first + size)]);
  return found;
}

/**
 * How many of `prefixes` and of `tails` are computed at once: as many as have `mostRows` rows, fewer where a layer's cache or its
 * widest activation would exceed `bindingBytes`, or the whole cache CACHE_BYTES; but one of each.
 * @throws RudolphError `out-of-memory` when not even one of each fits a binding.
 */
export function fittingShape(
  config: ModelConfig,
  counts: {
    readonly prefixRows: number;
    readonly prefixes: number;
    readonly tailRows: number;
    readonly tails: number;
    readonly mostRows: number;
    readonly bindingBytes: number;
  },
): CacheShape {
  const { prefixRows, tailRows, bindingBytes } = counts;
  const atOnce = (rows: number, most: number, count: number): number =>
    Math.min(count, Math.max(1, Math.floor(most / Math.max(1, rows))));
  for (let most = counts.mostRows; ; most /= 2) {
    const shape = {
      prefixes: atOnce(prefixRows, most, counts.prefixes),
      prefixLength: prefixRows,
      sequences: atOnce(tailRows, most, counts.tails),
      tailLength: tailRows,
      rings: false,
    };
    const single = shape.prefixes === 1 && shape.sequences <= 1;
    const layer = KeyValueCache.layerBytes(config, shape, 0); // without rings all layers have as many
    const rows = Math.max(shape.prefixes * prefixRows, shape.sequences * tailRows);
    const binds = Math.max(layer, rows * 4 * config.hidden * 4) <= bindingBytes;
    if (binds && (single || KeyValueCache.totalBytes(config, shape) <= CACHE_BYTES)) return shape;
    if (single) {
      throw new RudolphError(
        'out-of-memory',
        `one sequence of ${prefixRows + tailRows} positions needs a larger binding than this device's ${bindingBytes} bytes`,
      );
    }
  }
}

/** Checks the request and says which streams lie in the prefixes and which in the tails. */
function check(transformer: Transformer, request: ScoreRequest): { prefixParts: Part[]; tailParts: Part[] } {
  const { config } = transformer;
  const { prefixes, tails } = request;
  const prefixLength = checkIds(transformer, prefixes, { what: 'prefixes' });
  const tailIds = tails.map(({ ids }) => ids);
  const tailLength =
    tails.length === 0 ? 0 : checkIds(transformer, tailIds, { what: 'ids of tails', first: prefixLength });
  tails.forEach(({ prefix }, n) => {
    if (!(Number.isInteger(prefix) && prefix >= 0 && prefix < prefixes.length))
      throw new RudolphError('bad-input', `tails[${n}] continues prefix ${prefix}, there are ${prefixes.length}`);
  });
  const imageStart = config.leftLength;
  const rightStart = imageStart + config.imageSide ** 2;
  const bounds = { left: [0, imageStart], image: [imageStart, rightStart], right: [rightStart, Infinity] } as const;
  const total = prefixLength + tailLength;
  const prefixParts: Part[] = [];
  const tailParts: Part[] = [];
  for (const stream of new Set(request.streams)) {
    const [start, limit] = bounds[stream];
    const end = Math.min(limit, total);
    const inTails = start >= prefixLength;
    if (start >= total || (!inTails && end > prefixLength)) {
      throw new RudolphError(
        'bad-input',
        `the ${stream} stream begins at position ${start}, but prefixes have ${prefixLength} ids and tails ${tailLength}: a stream to score must lie wholly in one of them`,
        { stream },
      );
    }
    const text = stream !== 'image';
    const classes = text
      ? config.textVocabulary - config.leftLength
      : config.imageVocabulary - config.imageSpecialTokens;
    const part: Part = { stream, head: text ? 'text' : 'image', classes, first: start + 1, end };
    const base = inTails ? prefixLength : 0;
    (inTails ? tailIds : prefixes).forEach((ids, n) => {
      for (const position of scoredPositions(part, ids, base)) {
        const id = ids[position - base]!;
        if (id >= classes)
          throw new RudolphError(
            'bad-input',
            `sequence ${n} has id ${id} at position ${position}; scored ids of the ${stream} stream are below ${classes}`,
          );
      }
    });
    (inTails ? tailParts : prefixParts).push(part);
  }
  return { prefixParts, tailParts };
}
