import { RudolphError } from '../errors';
import type { MaskKind, ModelConfig } from '../format/manifest';
import { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { f32, packParams, type Dispatch } from '../gpu/kernel';
import { dispatchLimit } from '../gpu/runner';
import type { KeyValueCache } from './cache';
import { recordLinear } from './linear';
import type { GpuTensor, Weights } from './weights';

const EPSILON = 1e-5; // of every LayerNorm upstream
/** Pairs of a row and a head that a workgroup of `attention_direct` serves. */
export const DIRECT_PAIRS = 8;
/** Multiply-adds of a product that take as long as one element of a key and of a value. */
const ATTENTION_COST = 4;
const ATTENTION_LIMIT = 65504; // upstream clamps the attention's output projection to fp16's range
const NO_LIMIT = 3e38;

/** What a pass over the layers works on. */
export interface BodySpec {
  readonly cache: KeyValueCache;
  /** (sequences, sequenceLength) u32: text ids and image ids as they are. */
  readonly tokens: GPUBuffer;
  /** See shaders/parts/cache.wgsl. */
  readonly state: GPUBuffer;
  readonly sequences: number;
  readonly rowsPerSequence: number;
  /**
   * `prefixes`: fills them, from position state[0] on. `tails`: several rows a sequence behind the prefix state[4 + sequence], from
   * position state[0] = prefix length on. `step`: one row a sequence, at position state[1].
   */
  readonly mode: 'prefixes' | 'tails' | 'step';
}

/** A recorded pass: first `embed`, then the layers, in order. */
export interface Body {
  readonly embed: readonly Dispatch[];
  readonly layers: readonly (readonly Dispatch[])[];
  /** (rows, hidden): the residual stream; after layer i's dispatches it holds upstream's output of layer i. */
  readonly x: GPUBuffer;
  /** (rows, hidden): the final LayerNorm's output, once all layers have run. */
  readonly normed: GPUBuffer;
}

/** The decoder-only transformer: records its passes as lists of dispatches; owns no weights. */
export class Transformer {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly #weights: Weights;
  /** Left, right, row and column position tables in one buffer: `embed` may bind no more than 8. */
  readonly #positions: GPUBuffer;
  readonly #arena: Arena;

  private constructor(gpu: Gpu, config: ModelConfig, weights: Weights, arena: Arena, positions: GPUBuffer) {
    this.gpu = gpu;
    this.config = config;
    this.#weights = weights;
    this.#arena = arena;
    this.#positions = positions;
  }

  /** @throws RudolphError `unsupported` when a width is not a multiple of what the kernels load at once. */
  static create(gpu: Gpu, config: ModelConfig, weights: Weights): Transformer {
    const { hidden, heads } = config;
    const head = hidden / heads;
    if (hidden % 8 !== 0 || hidden > 3840 || head % 4 !== 0 || head > 256) {
      throw new RudolphError(
        'unsupported',
        `hidden size ${hidden} with ${heads} heads of ${head}: the kernels need a hidden size that is a multiple of 8 and at most 3840, and heads whose width is a multiple of 4 and at most 256`,
      );
    }
    const arena = new Arena(gpu.device);
    const tables = ['left_positions', 'right_positions', 'image_rows', 'image_columns'].map((name) =>
      weights.tensor(name),
    );
    const bytes = (table: GpuTensor): number => table.shape[0]! * table.rowStride * 2;
    const positions = arena.buffer(
      'positions',
      tables.reduce((sum, table) => sum + bytes(table), 0),
    );
    const encoder = gpu.device.createCommandEncoder();
    let offset = 0;
    for (const table of tables) {
      encoder.copyBufferToBuffer(table.buffer, 0, positions, offset, bytes(table));
      offset += bytes(table);
    }
    gpu.device.queue.submit([encoder.finish()]);
    return new Transformer(gpu, config, weights, arena, positions);
  }

  get sequenceLength(): number {
    const { leftLength, imageSide, rightLength } = this.config;
    return leftLength + imageSide * imageSide + rightLength;
  }

  /** Records embedding and all layers; buffers belong to `arena`. @throws when the rows do not fit the cache. */
  async recordBody(arena: Arena, spec: BodySpec): Promise<Body> {
    const { config } = this;
    checkRows(spec);
    const { hidden } = config;
    const rows = spec.sequences * spec.rowsPerSequence;
    const activation = (label: string, width: number): GPUBuffer => arena.buffer(label, rows * width * 4);
    const x = activation('x', hidden);
    const normed = activation('normed', hidden);
    const buffers: LayerBuffers = {
      x,
      normed,
      q: activation('q', hidden),
      attended: activation('attended', hidden),
      branch: activation('branch', hidden),
      inner: activation('inner', 4 * hidden),
    };
    const embed = [
      await this.#embed(arena, spec, rows, x),
      await this.#layerNorm(arena, { rows, x, first: 0, step: 1, norms: this.#norms(0), norm: 0, y: normed }),
    ];
    const layers: Dispatch[][] = [];
    for (let layer = 0; layer < config.layers; layer++)
      layers.push(await this.#layer(arena, spec, layer, rows, buffers));
    return { embed, layers, x, normed };
  }

  /**
   * Records the logits of some rows: LayerNorm (to_logits.0) of the rows first, first + step, … of `normed`, then the text
   * or the image rows of to_logits.1.
   * @returns the dispatches; `logits` is (rows, classes).
   */
  async recordHead(
    arena: Arena,
    spec: {
      normed: GPUBuffer;
      first: number;
      step: number;
      rows: number;
      stream: 'text' | 'image';
      classes: number;
      logits: GPUBuffer;
    },
  ): Promise<Dispatch[]> {
    const normed = await this.recordHeadNorm(arena, spec);
    return [
      normed.dispatch,
      ...(await recordLinear(this.gpu, arena, {
        label: `${spec.stream} logits`,
        x: normed.y,
        rows: spec.rows,
        ...this.classes(spec.stream),
        columns: spec.classes,
        output: 'plain',
        outputBindings: [spec.logits],
      })),
    ];
  }

  /** Records to_logits.0, the LayerNorm before the classes, of the rows first, first + step, … of `normed`. */
  async recordHeadNorm(
    arena: Arena,
    spec: { normed: GPUBuffer; first: number; step: number; rows: number },
  ): Promise<{ dispatch: Dispatch; y: GPUBuffer }> {
    const { hidden } = this.config;
    const y = arena.buffer('normed for logits', spec.rows * hidden * 4);
    const { normed: x, first, step, rows } = spec;
    const norms = this.#weights.tensor('final.norms', [4, hidden]);
    return { dispatch: await this.#layerNorm(arena, { rows, x, first, step, norms, norm: 2, y }), y };
  }

  /** A stream's rows of to_logits.1: weight (classes, hidden) fp16, bias (classes) f32. */
  classes(stream: 'text' | 'image'): { readonly weight: GpuTensor; readonly bias: GpuTensor } {
    return {
      weight: this.#weights.tensor(`${stream}_logits.weight`),
      bias: this.#weights.tensor(`${stream}_logits.bias`),
    };
  }

  /** The bits of a mask that is not a standard one: [S, ceil(S / 32)] u32. @throws when the model's masks are standard. */
  maskBits(kind: MaskKind): GPUBuffer {
    return this.#weights.tensor(`masks.${kind}`).buffer;
  }

  dispose(): void {
    this.#arena.dispose();
  }

  // x + LN₂(attention(LN₁ x)), then + LN₄(mlp(LN₃ x)): seven dispatches. `normed` holds LN₁ x on entry and the next layer's on exit.
  async #layer(arena: Arena, spec: BodySpec, layer: number, rows: number, b: LayerBuffers): Promise<Dispatch[]> {
    const { gpu, config } = this;
    const last = layer === config.layers - 1;
    const weight = (name: string): GpuTensor => this.#weights.tensor(`layers.${layer}.${name}.weight`);
    const bias = (name: string): GpuTensor => this.#weights.tensor(`layers.${layer}.${name}.bias`);
    const linear = { label: '', rows };
    const cacheUniform = arena.uniform(
      `cache of layer ${layer}`,
      spec.cache.uniform(layer, spec.rowsPerSequence, spec.mode === 'prefixes'),
    );
    const keys = spec.cache.keys[layer]!;
    const values = spec.cache.values[layer]!;
    const norms = this.#norms(layer);
    return [
      ...(await recordLinear(gpu, arena, {
        ...linear,
        label: `layer ${layer} qkv`,
        x: b.normed,
        weight: weight('qkv'),
        bias: bias('qkv'),
        output: 'qkv',
        outputBindings: [cacheUniform, spec.state, b.q, keys, values],
      })),
      ...(await this.#attention(arena, spec, layer, rows, cacheUniform, b)),
      ...(await recordLinear(gpu, arena, {
        ...linear,
        label: `layer ${layer} attention_out`,
        x: b.attended,
        weight: weight('attention_out'),
        bias: bias('attention_out'),
        output: 'plain',
        outputBindings: [b.branch],
      })),
      await this.#residualNorm(arena, rows, b, {
        normsA: norms,
        normA: 2,
        normsB: norms,
        normB: 4,
        limit: ATTENTION_LIMIT,
      }),
      ...(await recordLinear(gpu, arena, {
        ...linear,
        label: `layer ${layer} mlp_in`,
        x: b.normed,
        weight: weight('mlp_in'),
        bias: bias('mlp_in'),
        output: 'gelu',
        outputBindings: [b.inner],
      })),
      ...(await recordLinear(gpu, arena, {
        ...linear,
        label: `layer ${layer} mlp_out`,
        x: b.inner,
        weight: weight('mlp_out'),
        bias: bias('mlp_out'),
        output: 'plain',
        outputBindings: [b.branch],
      })),
      await this.#residualNorm(arena, rows, b, {
        normsA: norms,
        normA: 6,
        normsB: last ? this.#weights.tensor('final.norms') : this.#norms(layer + 1),
        normB: 0,
        limit: NO_LIMIT,
      }),
    ];
  }

  async #embed(arena: Arena, spec: BodySpec, rows: number, x: GPUBuffer): Promise<Dispatch> {
    const { config } = this;
    const text = this.#weights.tensor('text_embeddings', [config.textVocabulary, config.hidden]);
    const image = this.#weights.tensor('image_embeddings', [config.imageVocabulary, config.hidden]);
    const kernel = await this.gpu.kernels.get({ name: 'embed' });
    return kernel.dispatch(arena, {
      params: packParams([
        config.hidden,
        text.rowStride / 2,
        this.sequenceLength,
        spec.rowsPerSequence,
        config.leftLength,
        config.imageSide,
        config.rightLength,
        config.textVocabulary,
        spec.mode === 'step' ? 1 : 0,
      ]),
      bindings: [spec.tokens, text.buffer, image.buffer, this.#positions, spec.state, x],
      workgroups: [rows],
      work: rows * config.hidden,
    });
  }

  async #attention(
    arena: Arena,
    spec: BodySpec,
    layer: number,
    rows: number,
    cacheUniform: GPUBuffer,
    b: LayerBuffers,
  ): Promise<Dispatch[]> {
    const { config } = this;
    const head = config.hidden / config.heads;
    const kind = config.layerMasks[layer]!;
    const bitset = config.masks.form === 'bitset';
    const direct = this.gpu.adapter.software;
    const kernel = await this.gpu.kernels.get({
      name: direct ? 'attention_direct' : 'attention',
      parts: ['cache', bitset ? 'geometry_bitset' : 'geometry_standard'],
      consts: { HEAD: head },
    });
    const common = {
      label: `layer ${layer} attention`,
      bindings: [
        arena.uniform(`geometry of layer ${layer}`, geometryUniform(config, kind, this.sequenceLength)),
        cacheUniform,
        spec.state,
        b.q,
        spec.cache.keys[layer]!,
        spec.cache.values[layer]!,
        b.attended,
      ],
      ...(bitset ? { partBindings: [this.maskBits(kind)] } : {}),
    };
    const scale = f32(1 / Math.sqrt(head));
    // About half of the keys on average, both for scores and for values; gathering costs several times its arithmetic.
    const keys = spec.cache.shape.prefixLength + (spec.mode === 'tails' ? spec.rowsPerSequence : 0);
    const pairWork = keys * head * ATTENTION_COST;
    const pairs = rows * config.heads;
    if (!direct) {
      const params = packParams([config.heads, scale]);
      return [kernel.dispatch(arena, { ...common, params, workgroups: [config.heads, rows], work: pairs * pairWork })];
    }
    const most = Math.max(1, Math.floor(dispatchLimit(this.gpu.adapter) / pairWork / DIRECT_PAIRS)) * DIRECT_PAIRS;
    return Array.from({ length: Math.ceil(pairs / most) }, (_, k) => {
      const [first, end] = [k * most, Math.min((k + 1) * most, pairs)];
      return kernel.dispatch(arena, {
        ...common,
        params: packParams([config.heads, scale, first, end]),
        workgroups: [Math.ceil((end - first) / DIRECT_PAIRS)],
        work: (end - first) * pairWork,
      });
    });
  }

  async #layerNorm(
    arena: Arena,
    spec: { rows: number; x: GPUBuffer; first: number; step: number; norms: GpuTensor; norm: number; y: GPUBuffer },
  ): Promise<Dispatch> {
    const kernel = await this.gpu.kernels.get({ name: 'layer_norm', parts: ['sum_workgroup'] });
    return kernel.dispatch(arena, {
      params: packParams([this.config.hidden, spec.first, spec.step, spec.norm, f32(EPSILON)]),
      bindings: [spec.x, spec.norms.buffer, spec.y],
      workgroups: [spec.rows],
      work: spec.rows * this.config.hidden * 8,
    });
  }

  async #residualNorm(
    arena: Arena,
    rows: number,
    b: LayerBuffers,
    spec: { normsA: GpuTensor; normA: number; normsB: GpuTensor; normB: number; limit: number },
  ): Promise<Dispatch> {
    const kernel = await this.gpu.kernels.get({
      name: 'residual_norm',
      parts: ['sum_workgroup'],
      constants: { WIDTH: this.config.hidden },
    });
    return kernel.dispatch(arena, {
      params: packParams([spec.normA, spec.normB, f32(EPSILON), f32(spec.limit)]),
      bindings: [b.branch, spec.normsA.buffer, spec.normsB.buffer, b.x, b.normed],
      workgroups: [rows],
      work: rows * this.config.hidden * 16,
    });
  }

  #norms(layer: number): GpuTensor {
    return this.#weights.tensor(`layers.${layer}.norms`, [8, this.config.hidden]);
  }
}

interface LayerBuffers {
  readonly x: GPUBuffer; // (rows, hidden) residual stream
  readonly normed: GPUBuffer; // (rows, hidden) input of the next sub-layer
  readonly q: GPUBuffer; // (rows, hidden)
  readonly attended: GPUBuffer; // (rows, hidden)
  readonly branch: GPUBuffer; // (rows, hidden) output of a sub-layer, before its sandwich norm
  readonly inner: GPUBuffer; // (rows, 4 · hidden)
}

/** Rows of one pass must not share a slot of the cache. */
function checkRows({ cache, mode, sequences, rowsPerSequence }: BodySpec): void {
  const { prefixes, prefixLength, tailLength, rings } = cache.shape;
  const [mostSequences, mostRows] = {
    prefixes: [prefixes, prefixLength] as const,
    tails: [cache.shape.sequences, rings ? 1 : tailLength] as const,
    step: [cache.shape.sequences, 1] as const,
  }[mode];
  if (sequences > mostSequences || rowsPerSequence > mostRows || rowsPerSequence < 1) {
    throw new Error(
      `a pass of ${sequences} sequences of ${rowsPerSequence} rows, mode ${mode}; the cache has room for ${mostSequences} of 1 to ${mostRows}`,
    );
  }
}

const KIND_NUMBER: Readonly<Record<MaskKind, number>> = { row: 0, column: 1, conv: 2, lastConv: 2 };

/** The uniform `Geometry` of shaders/parts/geometry_*.wgsl. */
function geometryUniform(config: ModelConfig, kind: MaskKind, sequenceLength: number): ArrayBuffer {
  return packParams([
    config.leftLength,
    config.imageSide,
    KIND_NUMBER[kind],
    kind === 'lastConv' ? config.lastConvKernel : config.convKernel,
    config.masks.rightSeesLeft ? 1 : 0,
    Math.ceil(sequenceLength / 32),
  ]);
}
