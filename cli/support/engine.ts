import type { Manifest } from '../../src/format/manifest';
import type { GpuOptions } from '../../src/gpu/device';
import { VARIANT_NAMES, variantsLabel, variantsNamed } from '../../src/gpu/variants';
import { Engine } from '../../src/tasks/engine';
import { openNodeGpu } from '../dawn';
import { openFolder } from './folder';
import type { Options } from './options';
import { status } from './output';

/** Options that every command with an engine takes. */
export const ENGINE_VALUES = ['model', 'variants'] as const;
export const ENGINE_USAGE = `  --model DIR         folder of a web model, or the name of one that ships with this package ("embedded")
  --variants V        kernels: auto (default: what is fastest here), base (no optional feature), f16, subgroups`;

/** Reads --variants. */
export function variantsOf(options: Options): NonNullable<GpuOptions['variants']> {
  return variantsNamed(options.choice('variants', VARIANT_NAMES) ?? 'auto');
}

/**
 * Opens --model on this machine's adapter, hands the engine to `work`, and frees everything. Says on stderr which adapter it is.
 * @param check refuses what cannot work with the model, before its weights are read
 */
export async function withEngine<T>(
  options: Options,
  signal: AbortSignal,
  work: (engine: Engine) => Promise<T>,
  check?: (manifest: Manifest) => void | Promise<void>,
): Promise<T> {
  const source = await openFolder(options.required('model', 'the folder of a web model, or "embedded"'));
  await check?.(source.manifest);
  const gpu = await openNodeGpu({ variants: variantsOf(options) });
  try {
    const { adapter, variants } = gpu;
    const name = [adapter.description || adapter.device, adapter.vendor].filter(Boolean).join(', ');
    status(
      `adapter: ${name || 'unnamed'}${adapter.software ? ' (software, slow)' : ''}; kernels: ${variantsLabel(variants)}`,
      { done: true },
    );
    const engine = await Engine.load(gpu, source, {
      signal,
      onProgress: ({ loadedBytes, totalBytes }) =>
        status(`loading ${megabytes(loadedBytes)} of ${megabytes(totalBytes)} MB`),
    });
    try {
      return await work(engine);
    } finally {
      engine.dispose();
    }
  } finally {
    gpu.dispose();
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
