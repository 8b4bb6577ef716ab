// Types without WebGPU's: the library's own types refer to them, and its users may have no @webgpu/types.

/** What is known about the adapter, for the status line and for bug reports. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** A software adapter (SwiftShader, llvmpipe, WARP): correct, but tens to hundreds of times slower than a GPU. */
  readonly software: boolean;
}

/** What a model takes of the graphics memory, in bytes. Browsers do not tell how much there is. */
export interface GpuMemory {
  /** Pictures drawn at once, for which `cache` and `activations` are. Of many, so many are drawn at once as fit a cache of 1 GiB. */
  readonly candidates: number;
  /** Transformer and image decoder; for as long as the model is loaded. */
  readonly weights: number;
  /** Keys and values of everything that is attended to, while a picture is drawn. */
  readonly cache: number;
  /** All else that the transformer computes, at most at one time. */
  readonly activations: number;
  /** Activations of the image decoder, from the first picture on. */
  readonly imageTokenizer: number;
  /** The sum of these. */
  readonly total: number;
  /** What one more candidate adds to `cache` and `activations`. */
  readonly perCandidate: number;
  /** What is added when the first picture is read: the image encoder's weights and activations; 0 where the model has none. */
  readonly reading: number;
}

/** Which optional kernel variants are in use; all off is the base path, which needs no optional feature. */
export interface Variants {
  /** Weights are read as native `f16` (needs `shader-f16`); arithmetic stays f32. */
  readonly f16: boolean;
  /**
   * Software adapters with subgroups of 8 lanes (lavapipe; needs `subgroups`): kernels that load a value once for all lanes. Twice to three
   * times as fast there. No use on a GPU, where workgroups share memory, nor with the 4 lanes of SwiftShader and WARP.
   */
  readonly subgroups: boolean;
}

/** What needs no optional feature. */
export const BASE_VARIANTS: Variants = { f16: false, subgroups: false };

/** "base", "f16", "subgroups" or "f16, subgroups". */
export const variantsLabel = (variants: Variants): string =>
  (['f16', 'subgroups'] as const).filter((name) => variants[name]).join(', ') || 'base';

/** The part that reads fp16 weights. */
export const weightsPart = ({ f16 }: Variants): string => (f16 ? 'weights_f16' : 'weights_fp16');

/** `auto`: every variant that the device can do and is faster with. `base`: none, on a device without features. Or a choice. */
export type VariantChoice = 'auto' | 'base' | Partial<Variants>;

/** What a command line calls them. */
export const VARIANT_NAMES = ['auto', 'base', 'f16', 'subgroups'] as const;

export const variantsNamed = (name: (typeof VARIANT_NAMES)[number]): VariantChoice =>
  name === 'auto' || name === 'base' ? name : { [name]: true };
