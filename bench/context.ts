import type { ModelSource } from '../src/format/modelSource';
import type { Gpu } from '../src/gpu/device';
import type { VARIANT_NAMES } from '../src/gpu/variants';
import { presetConfig, type PresetName, randomModel } from './randomModel';
import type { Results } from './results';
import type { Ruler } from './ruler';
import type { ChainOptions } from './timing';

export const MODEL_NAMES = ['embedded', '350M', '1.3B', '2.7B'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];
export const SECTIONS = ['ruler', 'kernels', 'models', 'peer'] as const;
export type Section = (typeof SECTIONS)[number];

/** What to measure; undefined: what is sensible on the adapter. Plain data: it travels to the browser. */
export interface BenchOptions {
  readonly sections?: readonly Section[];
  /** Shapes of single kernels. */
  readonly presets?: readonly ModelName[];
  /** Rows of single kernels and candidates of steps. */
  readonly rows?: readonly number[];
  /** Models that are timed as a whole. */
  readonly models?: readonly ModelName[];
  /** Models that the peer runs. */
  readonly peerModels?: readonly ModelName[];
  readonly peerTypes?: readonly ('f32' | 'f16')[];
  readonly peerProviders?: readonly string[];
  /** Candidates against the peer. */
  readonly peerBatches?: readonly number[];
  readonly samples?: number;
  /** Seconds after which nothing new is begun. */
  readonly budget?: number;
  readonly variants?: (typeof VARIANT_NAMES)[number];
  readonly note?: string;
}

/** What all sections share. */
export interface Bench {
  readonly gpu: Gpu;
  /** Whether the adapter has `shader-f16`, be it used by the engine or not. */
  readonly hasF16: boolean;
  readonly options: Required<Omit<BenchOptions, 'note' | 'variants'>>;
  readonly chain: ChainOptions;
  readonly results: Results;
  /** The embedded model. */
  readonly embedded: ModelSource;
  log(line: string): void;
  /** Whether there is time for this; if not, it is noted as left out. */
  begin(what: string): boolean;
}

/** The defaults: everything on a GPU, what a few minutes allow on a software adapter. */
export function completeOptions(options: BenchOptions, software: boolean): Bench['options'] {
  return {
    sections: options.sections ?? ['ruler', 'kernels', 'models'],
    presets: options.presets ?? (software ? ['350M'] : ['350M', '1.3B', '2.7B']),
    rows: options.rows ?? (software ? [1, 4] : [1, 4, 16, 48]),
    models: options.models ?? (software ? ['embedded'] : [...MODEL_NAMES]),
    peerModels: options.peerModels ?? (software ? ['embedded'] : ['embedded', '350M']),
    peerTypes: options.peerTypes ?? ['f32', 'f16'],
    peerProviders: options.peerProviders ?? ['webgpu', 'cpu'],
    peerBatches: options.peerBatches ?? [1, 8],
    samples: options.samples ?? (software ? 5 : 9),
    budget: options.budget ?? (software ? 600 : 900),
  };
}

export function modelSource(bench: Bench, name: ModelName): ModelSource {
  return name === 'embedded' ? bench.embedded : randomModel(name, presetConfig(name as PresetName));
}

/** The figures that fractions refer to; without a ruler there are none. */
export function rulerOf(results: Results): { readonly copyGBs: number; readonly gemmGflops: number } | null {
  const { ruler }: { ruler: Ruler | null } = results;
  return ruler && { copyGBs: ruler.copyGBs.value, gemmGflops: ruler.gemmGflops.value };
}
