import { Arena, readBack } from '../src/gpu/buffers';
import type { Dispatch } from '../src/gpu/kernel';
import { Runner } from '../src/gpu/runner';
import { KeyValueCache } from '../src/model/cache';
import { NO_TOKEN, type Sampler } from '../src/model/sampler';
import type { Body, Transformer } from '../src/model/transformer';
import { IMAGE_SAMPLING } from '../src/tasks/sampling';

export interface DecodingSpec {
  readonly candidates: number;
  /** Ids of the left text. */
  readonly prefix: readonly number[];
  /** Positions behind the prefix that the cache has room for; the whole picture by default. */
  readonly tailLength?: number;
  readonly seed?: number;
}

/**
 * The engine's drawing loop (src/model/generate.ts) taken apart, so that the prompt and a few steps anywhere in the picture can be
 * timed: the same dispatches through the same runner. What `generate` does besides, copying tokens out for previews, is left out.
 */
export class Decoding {
  readonly spec: DecodingSpec;
  /** The prompt's pass: embed, layers, logits behind the last position. */
  readonly prefill: readonly Dispatch[];
  /** One step: embed, layers, logits, sample. */
  readonly step: readonly Dispatch[];
  /** Image classes that are drawn. */
  readonly classes: number;
  readonly #transformer: Transformer;
  readonly #arena: Arena;
  readonly #begin: readonly Dispatch[];
  readonly #state: GPUBuffer;
  readonly #tokens: GPUBuffer;
  readonly #prefixLogits: GPUBuffer;
  readonly #logits: GPUBuffer;

  private constructor(
    transformer: Transformer,
    arena: Arena,
    spec: DecodingSpec,
    parts: {
      readonly prefill: readonly Dispatch[];
      readonly begin: readonly Dispatch[];
      readonly step: readonly Dispatch[];
      readonly classes: number;
      readonly state: GPUBuffer;
      readonly tokens: GPUBuffer;
      readonly prefixLogits: GPUBuffer;
      readonly logits: GPUBuffer;
    },
  ) {
    this.#transformer = transformer;
    this.#arena = arena;
    this.spec = spec;
    this.prefill = parts.prefill;
    this.step = parts.step;
    this.classes = parts.classes;
    this.#begin = parts.begin;
    this.#state = parts.state;
    this.#tokens = parts.tokens;
    this.#prefixLogits = parts.prefixLogits;
    this.#logits = parts.logits;
  }

  static async create(transformer: Transformer, sampler: Sampler, spec: DecodingSpec): Promise<Decoding> {
    const { config, gpu, sequenceLength } = transformer;
    const { candidates, prefix } = spec;
    const classes = config.imageVocabulary - config.imageSpecialTokens;
    const arena = new Arena(gpu.device);
    try {
      const cache = new KeyValueCache(arena, config, {
        prefixes: 1,
        prefixLength: prefix.length,
        sequences: candidates,
        tailLength: spec.tailLength ?? config.imageSide ** 2,
        rings: true,
      });
      const prefixLogits = arena.buffer('logits behind the prefix', classes * 4);
      const prefixBody = await transformer.recordBody(arena, {
        cache,
        tokens: arena.upload(
          'prefix',
          Uint32Array.from({ length: sequenceLength }, (_, i) => prefix[i] ?? 0),
        ),
        state: arena.buffer('prefix state', 5 * 4),
        sequences: 1,
        rowsPerSequence: prefix.length,
        mode: 'prefixes',
      });
      const prefixHead = { normed: prefixBody.normed, first: prefix.length - 1, step: 1, rows: 1 };
      const head = { stream: 'image', classes } as const;
      const tokens = arena.buffer('tokens', candidates * sequenceLength * 4);
      const state = arena.buffer('state', (4 + candidates) * 4);
      const logits = arena.buffer('logits', candidates * classes * 4);
      const body: Body = await transformer.recordBody(arena, {
        cache,
        tokens,
        state,
        sequences: candidates,
        rowsPerSequence: 1,
        mode: 'step',
      });
      const sample = {
        rowStride: classes,
        firstClass: 0,
        classes,
        candidates,
        candidateOffset: 0,
        sequenceLength,
        state,
        tokens,
        forced: arena.upload('forced', new Uint32Array(sequenceLength).fill(NO_TOKEN)),
        done: arena.buffer('done', candidates * 4),
        ...IMAGE_SAMPLING,
        seed: spec.seed ?? 1,
      };
      return new Decoding(transformer, arena, spec, {
        prefill: [
          ...prefixBody.embed,
          ...prefixBody.layers.flat(),
          ...(await transformer.recordHead(arena, { ...head, ...prefixHead, logits: prefixLogits })),
        ],
        begin: await sampler.record(arena, {
          ...sample,
          logits: prefixLogits,
          logitsRows: 1,
          positionOffset: prefix.length,
        }),
        step: [
          ...body.embed,
          ...body.layers.flat(),
          ...(await transformer.recordHead(arena, {
            ...head,
            normed: body.normed,
            first: 0,
            step: 1,
            rows: candidates,
            logits,
          })),
          ...(await sampler.record(arena, { ...sample, logits, logitsRows: candidates, positionOffset: 1 })),
        ],
        classes,
        state,
        tokens,
        prefixLogits,
        logits,
      });
    } catch (error) {
      arena.dispose();
      throw error;
    }
  }

  /** Computes the prompt; @returns the logits behind it. */
  async computePrefix(): Promise<Float32Array> {
    await this.#run([this.prefill]);
    return new Float32Array(await readBack(this.#device, this.#prefixLogits));
  }

  /** Draws the first token and `steps` more behind the prompt; @returns the tokens of all candidates, read back. */
  async draw(steps: number): Promise<Uint32Array> {
    this.#device.queue.writeBuffer(this.#state, 0, Uint32Array.of(0, 0));
    await this.#run([this.#begin, ...Array<readonly Dispatch[]>(steps).fill(this.step)]);
    return new Uint32Array(await readBack(this.#device, this.#tokens));
  }

  /** `steps` steps from the image token number `first` on, whatever the cache holds there; tokens are read back. */
  async drawFrom(first: number, steps: number): Promise<Uint32Array> {
    const position = this.#transformer.config.leftLength + first;
    this.#device.queue.writeBuffer(this.#state, 0, Uint32Array.of(position, position));
    await this.#run(Array<readonly Dispatch[]>(steps).fill(this.step));
    return new Uint32Array(await readBack(this.#device, this.#tokens));
  }

  /** The logits (candidates, classes) behind given codes, the first of which is image token number 0: one step for each. */
  async logitsBehind(codes: readonly number[]): Promise<Float32Array[]> {
    const { leftLength } = this.#transformer.config;
    const rows: Float32Array[] = [];
    for (const [index, code] of codes.entries()) {
      const position = leftLength + index;
      for (let c = 0; c < this.spec.candidates; c++) {
        const at = (c * this.#transformer.sequenceLength + position) * 4;
        this.#device.queue.writeBuffer(this.#tokens, at, Uint32Array.of(code));
      }
      this.#device.queue.writeBuffer(this.#state, 0, Uint32Array.of(position, position));
      await this.#run([this.step]);
      rows.push(new Float32Array(await readBack(this.#device, this.#logits)));
    }
    return rows;
  }

  dispose(): void {
    this.#arena.dispose();
  }

  get #device(): GPUDevice {
    return this.#transformer.gpu.device;
  }

  async #run(lists: readonly (readonly Dispatch[])[]): Promise<void> {
    const runner = new Runner(this.#device);
    for (const list of lists) await runner.run(list);
    await runner.flush();
  }
}

/** A left text as the tasks make them: begin, some words, end, then pads. */
export function somePrompt(leftLength: number): number[] {
  return Array.from({ length: leftLength }, (_, i) => (i === 0 ? 2 : i < 8 ? 4 + 11 * i : i === 8 ? 3 : 0));
}

/** Codes of a picture that never was. */
export function someCodes(count: number, classes: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 389 + 17) % classes);
}
