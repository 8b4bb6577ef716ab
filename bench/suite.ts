import type { ModelSource } from '../src/format/modelSource';
import { type Gpu, requestGpu } from '../src/gpu/device';
import { variantsLabel, variantsNamed } from '../src/gpu/variants';
import { tested } from '../src/model/selfTest';
import { type Bench, type BenchOptions, completeOptions } from './context';
import { measureKernels } from './kernels';
import { measureModels } from './models';
import type { PeerFactory } from './peer/peer';
import type { Conditions, Results } from './results';
import { measureRuler } from './ruler';
import { measurePeers } from './versus';

/** What the place has to bring where the bench runs: Node or a browser. */
export interface Surroundings {
  readonly api: GPU | undefined;
  readonly conditions: Pick<Conditions, 'runtime' | 'machine' | 'commit'>;
  readonly embedded: ModelSource;
  /** Opens onnxruntime here; null: no peer was asked for. */
  readonly peers: PeerFactory | null;
  log(line: string): void;
}

/** Measures what was asked for, most important things first, until the time is up. The same code in Node and in a browser. */
export async function runBench(surroundings: Surroundings, options: BenchOptions): Promise<Results> {
  const { log, embedded, conditions } = surroundings;
  const variants = variantsNamed(options.variants ?? 'auto');
  const gpu = tested(await requestGpu(surroundings.api, { variants }));
  try {
    const complete = completeOptions(options, gpu.adapter.software);
    const results: Results = {
      conditions: {
        adapter: gpu.adapter,
        kernels: variantsLabel(gpu.variants),
        ...conditions,
        date: new Date().toISOString(),
        ...(options.note === undefined ? {} : { note: options.note }),
      },
      ruler: null,
      rulerAfter: null,
      kernels: [],
      models: [],
      peers: [],
      checks: [],
      skipped: [],
    };
    const adapter = await surroundings.api?.requestAdapter();
    const hasF16 = adapter?.features.has('shader-f16') ?? false;
    const bench = prepare(gpu, hasF16, complete, results, embedded, log);
    const { sections } = complete;
    if (sections.includes('ruler')) {
      log('ruler');
      results.ruler = await measureRuler(gpu, bench.chain);
    }
    if (sections.includes('peer') && surroundings.peers) await measurePeers(bench, surroundings.peers);
    if (sections.includes('models')) await measureModels(bench);
    if (sections.includes('kernels')) await measureKernels(bench);
    if (sections.includes('ruler') && sections.length > 1) {
      log('ruler again');
      results.rulerAfter = await measureRuler(gpu, bench.chain);
    }
    return results;
  } finally {
    gpu.dispose();
  }
}

function prepare(
  gpu: Gpu,
  hasF16: boolean,
  options: Bench['options'],
  results: Results,
  embedded: ModelSource,
  log: (line: string) => void,
): Bench {
  const started = performance.now();
  let late = false;
  gpu.device.addEventListener('uncapturederror', (event) => log(`WebGPU: ${event.error.message}`));
  return {
    gpu,
    hasF16,
    options,
    chain: { samples: options.samples, mostMs: gpu.adapter.software ? 1500 : 500 },
    results,
    embedded,
    log,
    begin(what) {
      if (performance.now() - started < options.budget * 1000) return true;
      if (!late)
        results.skipped.push(`after ${options.budget} s (--budget) nothing new was begun; the first left out: ${what}`);
      late = true;
      return false;
    },
  };
}
