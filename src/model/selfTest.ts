import { RudolphError } from '../errors';
import { Arena, readBack } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { encode, type Kernel, kernelKey, type Kernels, type KernelSpec } from '../gpu/kernel';
import { KNOWN_ANSWERS } from './knownAnswers';
import { type Output, TestBench } from './knownAnswers/bench';

/**
 * f32 sums of a few hundred products in −1…1, added up in any order, differ from double precision by about 1e-6; exp of such a difference
 * is as relative. Twice as much as the largest difference of any adapter tried would still be far below.
 */
const TOLERANCE = 1e-4;
/** Some drivers compute only the first run right, or none. */
const RUNS = ['first', 'second'] as const;

/** How one kernel did. */
export interface KernelResult {
  /** File, parts and numbers. */
  readonly kernel: string;
  /** Largest difference from the known answers, of values of about 1; null where it could not run at all. */
  readonly difference: number | null;
  /** What is wrong; null when all was right. */
  readonly failure: string | null;
}

/**
 * Kernels that are tested before anybody gets them: whatever is compiled runs twice on inputs with known answers (`KNOWN_ANSWERS`). A
 * variant that computes wrongly, or does not compile, is replaced by its base; a base that does so is refused. So no kernel takes part in
 * any result that was not right on this very device.
 */
export class TestedKernels implements Kernels {
  readonly results: KernelResult[] = [];
  /** Spent on testing, without compiling. */
  milliseconds = 0;
  readonly #gpu: Gpu;
  readonly #source: Kernels;
  readonly #tested = new Map<string, Promise<Kernel>>();

  /** @param gpu whose kernels are taken as they come. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#source = gpu.kernels;
  }

  /** Whether a variant was replaced by its base. */
  get replaced(): boolean {
    return this.results.some(({ failure }) => failure !== null);
  }

  /**
   * Tests kernels together, which takes two readings back however many they are.
   * @throws RudolphError `self-test` when one computes wrongly and has no base, with a report in `details`.
   */
  async prepare(specs: readonly KernelSpec[]): Promise<void> {
    const fresh = specs.filter((spec) => !this.#tested.has(kernelKey(spec)));
    if (fresh.length > 0) {
      const outcomes = this.#testAll(fresh);
      for (const spec of fresh) {
        const key = kernelKey(spec);
        const kernel = outcomes.then((all) => this.#choose(spec, all.get(key)!));
        this.#tested.set(key, kernel);
        // An accident on the way, e.g. a lost device, says nothing about the kernel.
        kernel.catch(() => this.#tested.delete(key));
      }
    }
    await Promise.all(specs.map((spec) => this.#tested.get(kernelKey(spec))));
  }

  async get(spec: KernelSpec): Promise<Kernel> {
    const known = this.#tested.get(kernelKey(spec));
    if (known) return known;
    await this.prepare([spec]);
    return this.#tested.get(kernelKey(spec))!;
  }

  /** Adapter and results as text, for a bug report. */
  report(): string {
    const { vendor, architecture, device, description, software } = this.#gpu.adapter;
    const adapter = [vendor, architecture, device, description].filter(Boolean).join(', ') || 'unnamed';
    return [
      `adapter: ${adapter}${software ? ' (software)' : ''}`,
      `features: ${[...this.#gpu.device.features].sort().join(', ') || 'none'}`,
      `kernels: ${this.results.length} tested twice in ${Math.round(this.milliseconds)} ms; tolerance ${TOLERANCE}`,
      ...this.results.map(
        ({ kernel, difference, failure }) =>
          `${failure === null ? 'ok  ' : 'FAIL'} ${kernel}: ${failure ?? `largest difference ${difference!.toExponential(1)}`}`,
      ),
    ].join('\n');
  }

  async #choose(spec: KernelSpec, { kernel, failure }: Outcome): Promise<Kernel> {
    if (kernel && failure === null) return kernel;
    const base = baseOf(spec);
    if (base) return this.get(base);
    const { description, vendor, architecture } = this.#gpu.adapter;
    throw new RudolphError(
      'self-test',
      `this graphics adapter computes wrongly (${title(spec)}, ${failure}); a newer driver or browser may help`,
      { failure, kernel: spec.name, description, vendor, architecture, report: this.report() },
    );
  }

  async #testAll(specs: readonly KernelSpec[]): Promise<Map<string, Outcome>> {
    const compiled = await Promise.allSettled(specs.map((spec) => this.#source.get(spec)));
    const started = performance.now();
    const arena = new Arena(this.#gpu.device);
    try {
      const trials = specs.map((spec, n) => {
        const found = compiled[n]!;
        return found.status === 'fulfilled'
          ? new Trial(this.#gpu.device, arena, spec, found.value)
          : new Trial(this.#gpu.device, arena, spec, null, messageOf(found.reason));
      });
      const ready = await Promise.all(trials.map((trial) => trial.ready()));
      await runAll(
        this.#gpu.device,
        arena,
        trials.filter((_, n) => ready[n]),
      );
      const outcomes = new Map<string, Outcome>();
      for (const trial of trials) {
        const { outcome } = trial;
        outcomes.set(kernelKey(trial.spec), outcome);
        this.results.push({ kernel: title(trial.spec), difference: outcome.difference, failure: outcome.failure });
      }
      return outcomes;
    } finally {
      arena.dispose();
      this.milliseconds += performance.now() - started;
    }
  }
}

/** The same device; its kernels are tested before they are used. */
export function tested(gpu: Gpu): Gpu & { readonly kernels: TestedKernels } {
  return { ...gpu, kernels: new TestedKernels(gpu) };
}

/** What is known of the kernels' tests on a device, as text; '' where they are not tested. */
export function selfTestReport({ kernels }: Gpu): string {
  return kernels instanceof TestedKernels ? kernels.report() : '';
}

interface Outcome {
  readonly kernel: Kernel | null;
  readonly difference: number | null;
  readonly failure: string | null;
}

/** One kernel on the bench. */
class Trial {
  readonly spec: KernelSpec;
  readonly bench: TestBench | null = null;
  /** Both runs' contents of each output. */
  readonly got: ArrayBuffer[][] = [];
  readonly #kernel: Kernel | null;
  readonly #answer: Promise<GPUError | null>;
  #failure: string | null;

  constructor(device: GPUDevice, arena: Arena, spec: KernelSpec, kernel: Kernel | null, failure: string | null = null) {
    this.spec = spec;
    this.#kernel = kernel;
    this.#failure = failure;
    device.pushErrorScope('validation');
    if (kernel) {
      const prepare = KNOWN_ANSWERS[spec.name];
      if (!prepare) throw new Error(`${spec.name} has no known answers: add them to src/model/knownAnswers`);
      this.bench = new TestBench(arena, kernel, spec);
      prepare(this.bench);
    }
    this.#answer = device.popErrorScope();
  }

  /** Whether it can be run: one command that the device refuses would spoil all others that are submitted with it. */
  async ready(): Promise<boolean> {
    const error = await this.#answer.catch(() => null);
    this.#failure ??= error?.message ?? null;
    return this.#failure === null;
  }

  get outputs(): readonly Output[] {
    return this.bench?.outputs ?? [];
  }

  get outcome(): Outcome {
    if (this.#failure !== null) return { kernel: this.#kernel, difference: null, failure: this.#failure };
    let largest = 0;
    for (const [run, contents] of this.got.entries()) {
      for (const [n, output] of this.outputs.entries()) {
        const { difference, at } = compare(output, contents[n]!);
        largest = Math.max(largest, difference);
        if (difference > TOLERANCE) {
          const got = numbers(output, contents[n]!)[at]!;
          const where = this.outputs.length > 1 ? `output ${n}, ${at}` : String(at);
          const wrong = `${RUNS[run]} run: ${got} instead of ${Number(output.expected[at]).toPrecision(7)} at ${where}`;
          return { kernel: this.#kernel, difference: largest, failure: wrong };
        }
      }
    }
    return { kernel: this.#kernel, difference: largest, failure: null };
  }
}

/** Runs all of them, then all of them again, and reads everything back at once. */
async function runAll(device: GPUDevice, arena: Arena, trials: readonly Trial[]): Promise<void> {
  const size = trials.reduce(
    (sum, { outputs }) => sum + outputs.reduce((bytes, { buffer }) => bytes + buffer.size, 0),
    0,
  );
  if (size === 0) return;
  const results = arena.buffer('self-test results', RUNS.length * size);
  await arena.allocated();
  const encoder = device.createCommandEncoder();
  let place = 0;
  for (const _ of RUNS) {
    for (const { bench, outputs } of trials) {
      if (!bench) continue;
      for (const { before, buffer } of outputs) encoder.copyBufferToBuffer(before, 0, buffer, 0, buffer.size);
      const pass = encoder.beginComputePass();
      for (const dispatch of bench.dispatches) encode(pass, dispatch);
      pass.end();
      for (const { buffer } of outputs) {
        encoder.copyBufferToBuffer(buffer, 0, results, place, buffer.size);
        place += buffer.size;
      }
    }
  }
  device.queue.submit([encoder.finish()]);
  const all = await readBack(device, results, 0, RUNS.length * size);
  place = 0;
  for (const _ of RUNS) {
    for (const { got, outputs } of trials) {
      got.push(outputs.map(({ buffer }) => all.slice(place, (place += buffer.size))));
    }
  }
}

function numbers({ type }: Output, contents: ArrayBuffer): Float32Array | Uint32Array {
  return type === 'f32' ? new Float32Array(contents) : new Uint32Array(contents);
}

/** The largest difference, relative to values above 1; infinite where integers differ or only one is a number. */
function compare(output: Output, contents: ArrayBuffer): { readonly difference: number; readonly at: number } {
  const got = numbers(output, contents);
  let worst = { difference: 0, at: 0 };
  for (let at = 0; at < output.expected.length; at++) {
    const [actual, right] = [got[at]!, output.expected[at]!];
    if (Object.is(actual, right)) continue;
    const apart = Math.abs(actual - right) / Math.max(1, Math.abs(right));
    const difference = output.type === 'u32' || Number.isNaN(apart) ? Infinity : apart;
    if (difference > worst.difference) worst = { difference, at };
  }
  return worst;
}

/** What takes the place of a variant that fails; null for what needs no optional feature. */
function baseOf(spec: KernelSpec): KernelSpec | null {
  if (spec.name.endsWith('_subgroup'))
    return {
      ...spec,
      name: spec.name.replace('_subgroup', '_direct'),
      ...(spec.parts ? { parts: spec.parts.filter((part) => part !== 'lanes') } : {}),
    };
  if (!spec.parts?.includes('weights_f16')) return null;
  return { ...spec, parts: spec.parts.map((part) => (part === 'weights_f16' ? 'weights_fp16' : part)) };
}

function title({ name, parts = [], consts = {}, constants = {} }: KernelSpec): string {
  const values = Object.entries({ ...consts, ...constants }).map(([key, value]) => `${key} ${value}`);
  return [name, ...parts, ...(values.length > 0 ? [values.join(' ')] : [])].join(' + ');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
