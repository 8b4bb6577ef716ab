import { packParams } from '../../gpu/kernel';
import { dot, halves, series, table, type TestBench } from './bench';

const INPUTS = 40;
/** More than one dispatch takes, and no multiple of a slice. */
const CLASSES = 150;
const SLICE = 32;
const WORKGROUP_CLASSES = 128;

/** token_losses: the online sums of 37 targets, over the classes in two dispatches, of which the second goes on with the first's. */
export function tokenLosses(t: TestBench): void {
  const count = 37; // more than a workgroup's 32
  const x = series(1, 6 * INPUTS);
  const weight = halves(2, CLASSES * INPUTS);
  const bias = series(3, CLASSES);
  const targets = Array.from({ length: count }, (_, n) => ({ row: (5 * n) % 6, label: (29 * n) % CLASSES }));
  const logit = (row: number, id: number): number =>
    bias[id]! + dot(x, row * INPUTS, weight.values, id * INPUTS, INPUTS);
  const slices = WORKGROUP_CLASSES / SLICE;
  const partials = new Float64Array(slices * count * 2);
  targets.forEach(({ row }, n) => {
    for (let slice = 0; slice < slices; slice++) {
      // Slice s of the second dispatch is added to slice s of the first.
      const ids = Array.from({ length: CLASSES }, (_, id) => id).filter(
        (id) => Math.floor((id % WORKGROUP_CLASSES) / SLICE) === slice,
      );
      const logits = ids.map((id) => logit(row, id));
      const maximum = Math.max(...logits);
      const at = 2 * (slice * count + n);
      partials[at] = maximum;
      partials[at + 1] = logits.reduce((sum, value) => sum + Math.exp(value - maximum), 0);
    }
  });
  const labels = table(count, (n) => logit(targets[n]!.row, targets[n]!.label));
  const bindings = [
    t.input(x),
    t.input(bias),
    t.input(Uint32Array.from(targets.flatMap(({ row, label }) => [row, label]))),
    t.f32(partials),
    t.f32(labels),
  ];
  for (const [first, end] of [
    [0, WORKGROUP_CLASSES],
    [WORKGROUP_CLASSES, CLASSES],
  ] as const) {
    t.dispatch({
      params: packParams([count, INPUTS / 8, first, end]),
      bindings,
      partBindings: [t.input(weight.bits)],
      workgroups: [1, Math.ceil(count / 32)],
    });
  }
}

/** perplexities: means over sequences of three targets and of one, of none, of a loss of exactly 0, and of a logit that is no number. */
export function perplexities(t: TestBench): void {
  const ranges = [0, 3, 4, 4, 6, 7];
  const slices = 2;
  const count = ranges.at(-1)!;
  const maxima = series(1, slices * count, 2);
  const totals = series(2, slices * count).map((value) => 2 + value);
  const labels = series(3, count, 2);
  const zero = 5; // its label is the only class
  [maxima[zero], totals[zero], maxima[count + zero], totals[count + zero]] = [1.5, 1, -3e38, 0];
  labels[zero] = 1.5;
  labels[6] = NaN;
  const perplexity = (n: number): number => {
    let sum = 0;
    for (let slice = 0; slice < slices; slice++)
      sum += totals[slice * count + n]! * Math.exp(maxima[slice * count + n]! - labels[n]!);
    return sum;
  };
  const mean = (targets: readonly number[]): number =>
    targets.reduce((sum, n) => sum + perplexity(n), 0) / targets.length;
  const firstResult = 2;
  const results = [NaN, NaN, mean([0, 1, 2]), mean([3]), 1, mean([4]), -1];
  t.dispatch({
    params: packParams([count, slices, firstResult]),
    bindings: [
      t.input(Uint32Array.from(ranges)),
      t.input(table(slices * count * 2, (i) => (i % 2 === 0 ? maxima : totals)[i >> 1]!)),
      t.input(labels),
      t.f32(results),
    ],
    workgroups: [ranges.length - 1],
  });
}
