/** Tolerances of the reference bundles' README, for f32 arithmetic on fp16 weights (loading native f16 changes no value). */
export const TOLERANCE = {
  logits: 2e-3,
  hidden: 2e-3,
  picture: 2e-3,
  probability: 1e-5,
  /** Relative. */
  perplexity: 5e-3,
  /** A score of a ranking is a difference of perplexities, in units of their spread: somewhat more than half a percent. */
  rankScore: 1e-2,
  zeroShotScore: 1e-3,
} as const;

/** Collects one line a case: what was compared, the largest difference, what is allowed. */
export class Report {
  passed = 0;
  failed = 0;
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** Compares numbers; the line names the place of the largest difference and both values when it is too large. */
  close(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
    this.#numbers(name, actual, expected, { tolerance, relative: false });
  }

  /** Compares numbers by their differences divided by what is expected; these must not be 0. */
  relative(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
    this.#numbers(name, actual, expected, { tolerance, relative: true });
  }

  #numbers(
    name: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    { tolerance, relative }: { tolerance: number; relative: boolean },
  ): void {
    if (actual.length !== expected.length)
      return this.#line(false, name, `${actual.length} values instead of ${expected.length}`);
    let largest = 0;
    let index = 0;
    for (let i = 0; i < expected.length; i++) {
      const difference = Math.abs(actual[i]! - expected[i]!) / (relative ? Math.abs(expected[i]!) : 1);
      if (!(difference <= largest)) {
        largest = Number.isNaN(difference) ? Infinity : difference;
        index = i;
      }
    }
    const ok = largest <= tolerance;
    const where = ok ? '' : ` at ${index}: ${actual[index]} instead of ${expected[index]}`;
    this.#line(
      ok,
      name,
      `largest ${relative ? 'relative ' : ''}difference ${largest.toExponential(2)}${where} (allowed ${tolerance})`,
    );
  }

  /** Compares whole numbers: all must be equal. */
  equal(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
    if (actual.length !== expected.length)
      return this.#line(false, name, `${actual.length} values instead of ${expected.length}`);
    let different = 0;
    let first = -1;
    for (let i = 0; i < expected.length; i++) {
      if (actual[i] === expected[i]) continue;
      if (different++ === 0) first = i;
    }
    const detail =
      different === 0
        ? `${expected.length} equal`
        : `${different} of ${expected.length} differ, first at ${first}: ${actual[first]} instead of ${expected[first]}`;
    this.#line(different === 0, name, detail);
  }

  /** Compares texts or other values by their JSON. */
  same(name: string, actual: unknown, expected: unknown): void {
    const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
    this.#line(a === b, name, a === b ? 'equal' : `${a} instead of ${b}`);
  }

  /** Many small cases as one line: names the first that differs. */
  all(
    name: string,
    cases: readonly { readonly what: string; readonly actual: unknown; readonly expected: unknown }[],
  ): void {
    const wrong = cases.filter(({ actual, expected }) => JSON.stringify(actual) !== JSON.stringify(expected));
    const [first] = wrong;
    const detail = first
      ? `${wrong.length} of ${cases.length} differ, first ${first.what}: ${JSON.stringify(first.actual)} instead of ${JSON.stringify(first.expected)}`
      : `${cases.length} equal`;
    this.#line(wrong.length === 0 && cases.length > 0, name, cases.length === 0 ? 'the bundle has no cases' : detail);
  }

  /** A case that went wrong in another way. */
  fail(name: string, why: string): void {
    this.#line(false, name, why);
  }

  /** What the bundle holds, but this version does not run: said, so that nobody takes it for tested. */
  leftOut(name: string, why: string): void {
    this.#print(`--    ${name}: not run, ${why}`);
  }

  #line(ok: boolean, name: string, detail: string): void {
    if (ok) this.passed++;
    else this.failed++;
    this.#print(`${ok ? 'ok   ' : 'FAIL '} ${name}: ${detail}`);
  }
}
