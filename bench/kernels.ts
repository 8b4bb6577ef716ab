import type { MaskKind, ModelConfig } from '../src/format/manifest';
import type { Gpu } from '../src/gpu/device';
import type { Dispatch } from '../src/gpu/kernel';
import { KeyValueCache } from '../src/model/cache';
import { Sampler } from '../src/model/sampler';
import { Transformer } from '../src/model/transformer';
import { Weights } from '../src/model/weights';
import { type Bench, type ModelName, rulerOf } from './context';
import { type Cost, costOf, idealMs, operationOf } from './costs';
import { Decoding, somePrompt } from './decoding';
import { presetConfig, type PresetName, randomModel } from './randomModel';
import { timeChain } from './timing';

/** One layer of each kind: what a software adapter's caches cannot hold anyway. */
const KINDS: readonly MaskKind[] = ['row', 'column', 'conv', 'lastConv'];

/**
 * Every kernel at the shapes of the presets, as the engine records it: a step (or a prompt) is recorded, its dispatches are sorted by
 * what they do, and each sort is chained over the weights of all layers. So whatever the engine fuses or splits is measured as it is.
 */
export async function measureKernels(bench: Bench): Promise<void> {
  for (const preset of bench.options.presets) {
    const config = shapes(bench, preset);
    if (!bench.begin(`kernels of ${preset}`)) continue;
    bench.log(`kernels of ${preset}: ${config.layers} layers of random weights`);
    const source = randomModel(preset, config);
    const weights = await Weights.load(bench.gpu.device, source, ['transformer']);
    const transformer = Transformer.create(bench.gpu, config, weights);
    try {
      const sampler = await Sampler.create(bench.gpu);
      for (const rows of bench.options.rows) await measureStep(bench, preset, transformer, sampler, rows);
      await measurePrompt(bench, preset, transformer, sampler);
    } finally {
      transformer.dispose();
      weights.dispose();
    }
  }
}

/** All layers on a GPU, whose cache one layer might fit; four on a software adapter. */
function shapes(bench: Bench, preset: ModelName): ModelConfig {
  const config = preset === 'embedded' ? bench.embedded.manifest.config : presetConfig(preset as PresetName);
  if (!bench.gpu.adapter.software) return config;
  return { ...config, layers: KINDS.length, layerMasks: KINDS, masks: { form: 'standard', rightSeesLeft: true } };
}

async function measureStep(
  bench: Bench,
  preset: ModelName,
  transformer: Transformer,
  sampler: Sampler,
  rows: number,
): Promise<void> {
  if (!bench.begin(`kernels of ${preset}, ${rows} rows`)) return;
  const { config } = transformer;
  const tailLength = tailThatFits(bench.gpu, config, rows);
  const decoding = await Decoding.create(transformer, sampler, {
    candidates: rows,
    prefix: somePrompt(config.leftLength),
    tailLength,
  });
  try {
    await decoding.computePrefix();
    // The middle of the picture: about as many keys as on average.
    const position = Math.floor(config.imageSide ** 2 / 2);
    await decoding.drawFrom(position, 1);
    const context = { config, rows, positions: [config.leftLength + position], classes: decoding.classes };
    await measureOperations(bench, preset, String(rows), decoding.step, config, (name) => costOf(name, context));
  } finally {
    decoding.dispose();
  }
}

async function measurePrompt(
  bench: Bench,
  preset: ModelName,
  transformer: Transformer,
  sampler: Sampler,
): Promise<void> {
  const { config } = transformer;
  const rows = config.leftLength;
  if (!bench.begin(`kernels of ${preset}, prefill`)) return;
  const decoding = await Decoding.create(transformer, sampler, {
    candidates: 1,
    prefix: somePrompt(rows),
    tailLength: 1,
  });
  try {
    const positions = Array.from({ length: rows }, (_, i) => i);
    const context = { config, rows, positions, classes: decoding.classes };
    // The logits are those of one row, which the steps have.
    const prompt = decoding.prefill.filter(({ label }) => !/logits/.test(label));
    await measureOperations(bench, preset, `prefill ${rows}`, prompt, config, (name) => costOf(name, context));
  } finally {
    decoding.dispose();
  }
}

/**
 * So many positions behind the prefix that the caches of all rows fit a binding and the memory. A column layer then finds several
 * positions in one slot, which costs the same time.
 */
function tailThatFits(gpu: Gpu, config: ModelConfig, rows: number): number {
  const { maxStorageBufferBindingSize } = gpu.device.limits;
  let tailLength = config.imageSide ** 2;
  const shape = () => ({ prefixes: 1, prefixLength: config.leftLength, sequences: rows, tailLength, rings: true });
  const fits = (): boolean =>
    KeyValueCache.totalBytes(config, shape()) <= 2 ** 30 &&
    config.layerMasks.every(
      (_, layer) => KeyValueCache.layerBytes(config, shape(), layer) <= maxStorageBufferBindingSize,
    );
  while (tailLength > 32 && !fits()) tailLength = Math.floor(tailLength / 2);
  return tailLength;
}

async function measureOperations(
  bench: Bench,
  preset: string,
  rows: string,
  dispatches: readonly Dispatch[],
  config: ModelConfig,
  costFor: (operation: string) => Cost | null,
): Promise<void> {
  const operations = new Map<string, Dispatch[]>();
  const labels = new Map<string, Set<string>>();
  dispatches.forEach((dispatch, index) => {
    const operation = operationOf(dispatch.label, config);
    operations.set(operation, [...(operations.get(operation) ?? []), dispatch]);
    // Pieces of one operation bear the same label; without a layer in it, each dispatch counts as an operation.
    const label = /^layer \d|logits/.test(dispatch.label) ? dispatch.label : `${dispatch.label} ${index}`;
    labels.set(operation, (labels.get(operation) ?? new Set()).add(label));
  });
  const ruler = rulerOf(bench.results);
  for (const [operation, chain] of operations) {
    if (!bench.begin(`${operation} of ${preset}, ${rows} rows`)) return;
    const times = labels.get(operation)!.size;
    const timing = await timeChain(bench.gpu.device, chain, bench.chain);
    const medianMs = timing.medianMs / times;
    const cost = costFor(operation);
    bench.results.kernels.push({
      preset,
      rows,
      operation,
      dispatches: chain.length / times,
      chained: timing.chained,
      medianMs,
      spread: timing.spread,
      samples: timing.samples,
      gbs: cost && cost.bytes / medianMs / 1e6,
      gflops: cost && cost.flops / medianMs / 1e6,
      fraction: cost && ruler && idealMs(cost, ruler) / medianMs,
    });
    bench.log(`  ${rows} rows, ${operation}: ${(medianMs * 1000).toFixed(1)} µs`);
  }
}
