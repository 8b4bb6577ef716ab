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

/** Which optional kernel variants are in use; all off is the base path, which needs no optional feature. */
export interface Variants {
  /** Weights are read as native `f16` (needs `shader-f16`); arithmetic stays f32. */
  readonly f16: boolean;
}

/** `auto`: every variant that the device can do. `base`: none, on a device without features. Or a choice. */
export type VariantChoice = 'auto' | 'base' | Partial<Variants>;
