import { RudolphError } from '../errors';
import { Arena, readBack } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { type Binding, type Dispatch, f32, type Kernel, packParams } from '../gpu/kernel';
import { Runner } from '../gpu/runner';

/** In `forced`: draw here. In `tokens` and ids: none. */
export const NO_TOKEN = 0xffffffff;

/** The filter keeps the class in 16 bits. */
const MOST_CLASSES = 65536;
/** The kernel's 1/temperature is at most this: below T = 1e-6 a draw is greedy anyway. */
const LARGEST_INVERSE_TEMPERATURE = 1e6;

/** Threads a candidate: software adapters pay for every thread at every barrier. */
const threads = (gpu: Gpu): number => (gpu.adapter.software ? 64 : 256);

/** How a token is drawn: logits / temperature, then top-k (ties with the k-th stay), then top-p (the class that crosses p stays). */
export interface Filter {
  /** Keep the k largest; 0 keeps all, 1 is greedy. */
  readonly topK: number;
  /** Keep the most likely until their probabilities exceed p; 1 keeps all. */
  readonly topP: number;
  /** Above 0. */
  readonly temperature: number;
}

export interface SampleSpec extends Filter {
  /** (logitsRows, rowStride) f32; under guidance the conditional rows, then as many unconditional ones. */
  readonly logits: Binding;
  /** Candidate c reads row c mod logitsRows: one row serves all after a shared prefill. */
  readonly logitsRows: number;
  readonly rowStride: number;
  /** Where in a row class 0 lies. The token written is the class's number. */
  readonly firstClass: number;
  readonly classes: number;
  readonly candidates: number;
  /** Number of the first candidate: a candidate's draws depend on its number, not on how many are drawn together. */
  readonly candidateOffset: number;
  readonly sequenceLength: number;
  /** From the position whose row was just computed to the one whose token it predicts. */
  readonly positionOffset: number;
  /** (≥ 2) u32: [0] position of the row just computed (read), [1] position of the token drawn (written). */
  readonly state: Binding;
  /** (candidates, sequenceLength) u32; under guidance (2, candidates, sequenceLength), and both branches get the token. */
  readonly tokens: Binding;
  /** (sequenceLength) u32: written instead of a draw unless `NO_TOKEN`. */
  readonly forced: Binding;
  /** (candidates) u32: becomes 1 when `endId` was written, 2 when no logit was a number; zeros follow. */
  readonly done: Binding;
  /** 0…2³²−1. */
  readonly seed: number;
  /** The id that closes a text; absent: nothing does. */
  readonly endId?: number;
  /** Drawn ids from here on count as `endId`. */
  readonly endFrom?: number;
  /** (classes / 32, rounded up) u32, bit k of word w for class 32w + k: the classes that may be drawn; absent: all. See `classBits`. */
  readonly allowed?: Binding;
  /**
   * Weight w of the unconditional branch, 0 ≤ w ≤ 1 (upstream's `cfg`): each branch is filtered by itself, then a token is drawn from
   * (1 − w) · conditional + w · unconditional probabilities. So top-k 1 leaves two classes, and the draw is between them.
   */
  readonly guidance?: number;
}

/** Draws tokens on the GPU (`shaders/sample.wgsl`): filter, draw, write the token where the next step reads it. */
export class Sampler {
  readonly #gpu: Gpu;
  readonly #threads: number;

  private constructor(gpu: Gpu, threadCount: number) {
    this.#gpu = gpu;
    this.#threads = threadCount;
  }

  /** @param threadCount a candidate, at least 16: a matter of speed only, no draw depends on it. */
  static async create(gpu: Gpu, threadCount = threads(gpu)): Promise<Sampler> {
    const sampler = new Sampler(gpu, threadCount);
    await sampler.#kernel('logits_plain'); // the usual one, so that the first task need not wait for it
    return sampler;
  }

  /**
   * Records the drawing of one token for every candidate. The same dispatches serve every step: positions are on the GPU.
   * @throws RudolphError `bad-input` for options out of range (see `checkSampling`).
   */
  async record(arena: Arena, spec: SampleSpec): Promise<Dispatch[]> {
    checkSampling(spec);
    const { classes, firstClass, rowStride, candidates, sequenceLength } = spec;
    const branches = spec.guidance === undefined ? 1 : 2;
    const rows = branches * spec.logitsRows;
    checkClasses('sample', classes);
    if (firstClass + classes > rowStride) {
      throw new Error(`sample: classes ${firstClass} to ${firstClass + classes - 1} of rows of ${rowStride} logits`);
    }
    checkSize('sample: logits', spec.logits, ((rows - 1) * rowStride + firstClass + classes) * 4);
    checkSize('sample: tokens', spec.tokens, branches * candidates * sequenceLength * 4);
    checkSize('sample: forced', spec.forced, sequenceLength * 4);
    checkSize('sample: state', spec.state, 8);
    checkSize('sample: done', spec.done, candidates * 4);
    if (spec.allowed) checkSize('sample: allowed', spec.allowed, Math.ceil(classes / 32) * 4);
    if (spec.endFrom !== undefined && spec.endId === undefined) throw new Error('sample: endFrom needs endId');
    if (spec.guidance === undefined) {
      return [
        spec.allowed
          ? this.#draw(arena, spec, await this.#kernel('logits_allowed'), [spec.allowed])
          : this.#draw(arena, spec, await this.#kernel('logits_plain')),
      ];
    }
    if (rowStride !== classes) throw new Error(`sample: guidance of ${classes} classes in rows of ${rowStride} logits`);
    const probabilities = arena.buffer('probabilities of both branches', rows * classes * 4);
    const mix = packParams([f32(spec.guidance), spec.logitsRows * classes]);
    // What is left of each branch has been filtered: the mixture is drawn from as it is.
    const mixture: SampleSpec = { ...spec, logits: probabilities, topK: 0, topP: 1, temperature: 1 };
    return [
      await recordFilter(this.#gpu, arena, this.#threads, { ...spec, rows, probabilities }),
      this.#draw(arena, mixture, await this.#kernel('logits_guided'), [arena.uniform('guidance', mix)]),
    ];
  }

  #kernel(logitsPart: 'logits_plain' | 'logits_allowed' | 'logits_guided'): Promise<Kernel> {
    return this.#gpu.kernels.get({
      name: 'sample',
      parts: ['random', 'filter', logitsPart],
      constants: { FILTER_THREADS: this.#threads },
    });
  }

  #draw(arena: Arena, spec: SampleSpec, kernel: Kernel, partBindings?: readonly Binding[]): Dispatch {
    const { classes, candidates } = spec;
    return kernel.dispatch(arena, {
      params: packParams([
        classes,
        spec.firstClass,
        spec.rowStride,
        spec.logitsRows,
        spec.sequenceLength,
        spec.positionOffset,
        ...filterParams(spec),
        spec.seed,
        spec.candidateOffset,
        spec.endFrom ?? NO_TOKEN,
        spec.endId ?? NO_TOKEN,
        candidates,
        spec.guidance === undefined ? 1 : 2,
      ]),
      bindings: [spec.logits, spec.forced, spec.state, spec.tokens, spec.done],
      ...(partBindings ? { partBindings } : {}),
      workgroups: [candidates],
      work: candidates * classes * 40,
    });
  }
}

interface FilterSpec extends Filter {
  /** (rows, classes) f32. */
  readonly logits: Binding;
  readonly rows: number;
  readonly classes: number;
  /** As in `SampleSpec`. */
  readonly allowed?: Binding;
  /** (rows, classes) f32: what the filter leaves; -1 in a row without a number. */
  readonly probabilities: Binding;
}

async function recordFilter(gpu: Gpu, arena: Arena, threadCount: number, spec: FilterSpec): Promise<Dispatch> {
  const kernel = await gpu.kernels.get({
    name: 'filter_probs',
    parts: ['filter', spec.allowed ? 'logits_allowed' : 'logits_plain'],
    constants: { FILTER_THREADS: threadCount },
  });
  return kernel.dispatch(arena, {
    params: packParams([spec.classes, ...filterParams(spec)]),
    bindings: [spec.logits, spec.probabilities],
    ...(spec.allowed ? { partBindings: [spec.allowed] } : {}),
    workgroups: [spec.rows],
    work: spec.rows * spec.classes * 40,
  });
}

/**
 * The probabilities that the sampler's filter leaves, (rows, classes); 0 for what it drops. A row whose logits are all −Infinity or NaN
 * has none: -1 everywhere.
 * @throws RudolphError `bad-input` for options out of range.
 */
export async function filterProbabilities(
  gpu: Gpu,
  logits: Float32Array<ArrayBuffer>,
  rows: number,
  classes: number,
  filter: Filter,
): Promise<Float32Array<ArrayBuffer>> {
  checkSampling(filter);
  checkClasses('filter_probs', classes);
  if (logits.length !== rows * classes) {
    throw new RudolphError(
      'bad-input',
      `filter_probs: ${logits.length} logits, expected ${rows} rows of ${classes} classes`,
    );
  }
  const arena = new Arena(gpu.device);
  try {
    const probabilities = arena.buffer('probabilities', logits.byteLength);
    const uploaded = arena.upload('logits', logits);
    const dispatch = await recordFilter(gpu, arena, threads(gpu), {
      ...filter,
      logits: uploaded,
      rows,
      classes,
      probabilities,
    });
    const runner = new Runner(gpu.device);
    await runner.run([dispatch]);
    await runner.flush();
    return new Float32Array(await readBack(gpu.device, probabilities, 0, logits.byteLength));
  } finally {
    arena.dispose();
  }
}

/**
 * The bits of `SampleSpec.allowed` for a list of classes, which may name one twice.
 * @throws RudolphError `bad-input` for ids that are no class.
 */
export function classBits(ids: readonly number[], classes: number): Uint32Array<ArrayBuffer> {
  const bits = new Uint32Array(Math.ceil(classes / 32));
  ids.forEach((id, index) => {
    if (!Number.isInteger(id) || id < 0 || id >= classes) {
      throw new RudolphError('bad-input', `allowed[${index}] is ${id}, expected an id from 0 to ${classes - 1}`);
    }
    bits[id >>> 5]! |= 1 << (id & 31);
  });
  return bits;
}

/**
 * Checks the options that are there.
 * @throws RudolphError `bad-input` unless topK is an integer ≥ 0, 0 < topP ≤ 1, temperature is finite and above 0, seed is an
 *   integer of 0…2³²−1, count an integer ≥ 1 and 0 ≤ guidance ≤ 1.
 */
export function checkSampling(
  options: Partial<Filter> & {
    readonly seed?: number | undefined;
    readonly count?: number | undefined;
    readonly guidance?: number | undefined;
  },
): void {
  const { topK, topP, temperature, seed, count, guidance } = options;
  expect(
    'topK',
    topK,
    'an integer of 0 (all classes), 1 (greedy) or more',
    (k) => Number.isInteger(k) && k >= 0 && k <= 0xffffffff,
  );
  expect('topP', topP, 'above 0 and at most 1 (all classes)', (p) => p > 0 && p <= 1);
  expect(
    'temperature',
    temperature,
    'finite and above 0 (topK: 1 draws the most likely class)',
    (t) => Number.isFinite(t) && t > 0,
  );
  expect('seed', seed, 'an integer from 0 to 4294967295', (s) => Number.isInteger(s) && s >= 0 && s <= 0xffffffff);
  expect('count', count, 'an integer of 1 or more', (n) => Number.isInteger(n) && n >= 1);
  expect('guidance', guidance, 'from 0 (none) to 1; upstream has 0.2', (w) => w >= 0 && w <= 1);
}

function expect(name: string, value: number | undefined, expected: string, accepts: (value: number) => boolean): void {
  if (value === undefined || (typeof value === 'number' && accepts(value))) return;
  throw new RudolphError('bad-input', `${name} is ${String(value)}, it must be ${expected}`, { option: name, value });
}

/** top_k, top_p in units of 2⁻³² (0: all), 1 / temperature, as the kernels want them. */
export function filterParams({ topK, topP, temperature }: Filter): (number | { readonly f32: number })[] {
  const share = topP >= 1 ? 0 : Math.min(Math.max(Math.round(topP * 2 ** 32), 1), 0xffffffff);
  return [topK, share, f32(Math.min(1 / temperature, LARGEST_INVERSE_TEMPERATURE))];
}

function checkClasses(kernel: string, classes: number): void {
  if (!Number.isInteger(classes) || classes < 1 || classes > MOST_CLASSES) {
    throw new Error(`${kernel}: ${classes} classes, expected 1 to ${MOST_CLASSES}`);
  }
}

function checkSize(name: string, binding: Binding, needed: number): void {
  const size = 'buffer' in binding ? (binding.size ?? binding.buffer.size - (binding.offset ?? 0)) : binding.size;
  if (size < needed) throw new Error(`${name} has ${size} bytes, ${needed} are needed`);
}
