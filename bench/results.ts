import type { AdapterDescription } from '../src/gpu/device';
import type { Ruler } from './ruler';
import type { Timing } from './statistics';

/** Where and of what the figures are: every file of results says so. */
export interface Conditions {
  readonly adapter: AdapterDescription;
  /** Which variants: see `variantsLabel`. */
  readonly kernels: string;
  /** "Node v20.19.0, webgpu 0.6.2" or the browser's name and version. */
  readonly runtime: string;
  /** "Linux 6.1, 2 cores". */
  readonly machine: string;
  /** `git describe --always --dirty`. */
  readonly commit: string;
  readonly date: string;
  /** What the person who ran it wants to be known, e.g. that the machine was busy. */
  readonly note?: string;
}

/** One operation at one shape. */
export interface KernelResult extends Timing {
  readonly preset: string;
  /** "4" in a step, "prefill 64". */
  readonly rows: string;
  readonly operation: string;
  /** Dispatches that the operation takes. */
  readonly dispatches: number;
  /** Dispatches in one sample. */
  readonly chained: number;
  /** Of one operation. */
  readonly gbs: number | null;
  readonly gflops: number | null;
  /** Time that the ruler allows / time taken. */
  readonly fraction: number | null;
}

/** One thing that a model does as a whole. */
export interface ModelResult extends Timing {
  readonly model: string;
  readonly what: string;
  readonly count: number;
  /** Tokens a second over all candidates, where there are tokens. */
  readonly tokensPerSecond: number | null;
  readonly gflops: number | null;
  readonly fraction: number | null;
  readonly dispatches: number | null;
  /** Bytes that have to be read and written. */
  readonly bytes: number | null;
  readonly remark?: string;
}

/** Ours against one peer. */
export interface PeerResult {
  readonly model: string;
  readonly what: string;
  readonly batch: number;
  readonly peer: string;
  readonly ours: Timing;
  readonly theirs: Timing;
  /** Tokens a second, ours and the peer's, where there are tokens. */
  readonly tokensPerSecond: readonly [number, number] | null;
  /** The peer's time / ours. */
  readonly ratio: number;
  readonly remark?: string;
}

export interface Results {
  readonly conditions: Conditions;
  ruler: Ruler | null;
  /** The same once more at the end: how much the machine drifted. */
  rulerAfter: Ruler | null;
  readonly kernels: KernelResult[];
  readonly models: ModelResult[];
  readonly peers: PeerResult[];
  /** Checks that were made before timing, e.g. that the peer computes the same logits. */
  readonly checks: string[];
  /** What was left out and why. */
  readonly skipped: string[];
}
