import type { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import { packParams, type Dispatch } from '../gpu/kernel';
import { dispatchLimit } from '../gpu/runner';
import { weightsPart } from '../gpu/variants';
import type { GpuTensor } from './weights';

/** Of shaders/token_losses.wgsl: classes of an invocation, of a workgroup, and targets of a workgroup. */
const SLICE = 32;
const WORKGROUP_CLASSES = 4 * SLICE;
const WORKGROUP_TARGETS = 32;

/** What is scored: of each sequence some rows, and the class that each of them should have predicted. */
export interface Targets {
  /** [sequences][targets of the sequence]; may be empty. */
  readonly rows: readonly (readonly number[])[];
  /** As `rows`, each below `classes`. */
  readonly labels: readonly (readonly number[])[];
}

export interface PerplexitiesSpec {
  readonly label: string;
  /** (rows, K) f32: the input of the last linear layer. */
  readonly x: GPUBuffer;
  /** (classes or more, K) fp16. */
  readonly weight: GpuTensor;
  /** (classes or more) f32. */
  readonly bias: GpuTensor;
  /** The softmax is over the first so many. */
  readonly classes: number;
  readonly targets: Targets;
  /** (firstResult + sequences or more) f32. */
  readonly results: GPUBuffer;
  readonly firstResult: number;
}

/**
 * Records the perplexity of some sequences: the arithmetic mean of exp(cross-entropy) over a sequence's targets, in f32. A loss of
 * exactly 0 drops out of sum and count; 1 where nothing is left; −1 where a logit is no number. Otherwise finite: losses are cut at 70.
 * Logits are summed up as they are computed and never stored.
 */
export async function recordPerplexities(gpu: Gpu, arena: Arena, spec: PerplexitiesSpec): Promise<Dispatch[]> {
  const { label, weight, bias, classes, targets } = spec;
  const [outputs, inputs] = weight.shape as readonly [number, number];
  if (classes > outputs || (bias.shape[0] ?? 0) < classes || weight.rowStride !== inputs || inputs % 8 !== 0) {
    throw new Error(
      `${label}: ${classes} classes of a weight of [${outputs}, ${inputs}], row stride ${weight.rowStride}, and ${bias.shape[0]} biases; K must be a multiple of 8`,
    );
  }
  const pairs: number[] = [];
  const ranges = [0];
  targets.rows.forEach((rows, s) => {
    rows.forEach((row, t) => {
      const target = targets.labels[s]![t]!;
      if (!(target < classes) || (row + 1) * inputs * 4 > spec.x.size)
        throw new Error(`${label}: target ${t} of sequence ${s} is row ${row}, class ${target} of ${classes}`);
      pairs.push(row, target);
    });
    ranges.push(pairs.length / 2);
  });
  const count = pairs.length / 2;
  const perDispatch = classesPerDispatch(count * inputs, dispatchLimit(gpu.adapter));
  const slices = Math.ceil(Math.min(perDispatch, classes) / SLICE);
  const partials = arena.buffer(`${label} partial sums`, slices * count * 8);
  const labelLogits = arena.buffer(`${label} logits of labels`, count * 4);
  const dispatches: Dispatch[] = [];
  if (count > 0) {
    const kernel = await gpu.kernels.get({
      name: 'token_losses',
      parts: [weightsPart(gpu.variants), 'dots', 'online_sum'],
    });
    const targetBuffer = arena.upload(`${label} targets`, Uint32Array.from(pairs));
    for (let first = 0; first < classes; first += perDispatch) {
      const end = Math.min(first + perDispatch, classes);
      dispatches.push(
        kernel.dispatch(arena, {
          label,
          params: packParams([count, inputs / 8, first, end]),
          bindings: [spec.x, bias.buffer, targetBuffer, partials, labelLogits],
          partBindings: [weight.buffer],
          workgroups: [Math.ceil((end - first) / WORKGROUP_CLASSES), Math.ceil(count / WORKGROUP_TARGETS)],
          work: count * (end - first) * inputs,
        }),
      );
    }
  }
  const kernel = await gpu.kernels.get({ name: 'perplexities', parts: ['online_sum', 'sum_workgroup'] });
  dispatches.push(
    kernel.dispatch(arena, {
      label: `${label} mean`,
      params: packParams([count, slices, spec.firstResult]),
      bindings: [arena.upload(`${label} ranges`, Uint32Array.from(ranges)), partials, labelLogits, spec.results],
      workgroups: [targets.rows.length],
      work: count * slices * 8,
    }),
  );
  return dispatches;
}

/** As many as the limit allows, in whole workgroups where it allows one. @param work multiply-adds of one class. */
function classesPerDispatch(work: number, limit: number): number {
  const slices = Math.max(1, Math.floor(limit / Math.max(1, work) / SLICE));
  return slices * SLICE > WORKGROUP_CLASSES
    ? Math.floor((slices * SLICE) / WORKGROUP_CLASSES) * WORKGROUP_CLASSES
    : slices * SLICE;
}
