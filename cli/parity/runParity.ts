import type { ModelSource } from '../../src/format/modelSource';
import type { GpuOptions } from '../../src/gpu/device';
import { variantsLabel } from '../../src/gpu/variants';
import { ImageTokenizer } from '../../src/model/imageTokenizer';
import { Weights } from '../../src/model/weights';
import { Engine } from '../../src/tasks/engine';
import { openNodeGpu } from '../dawn';
import { status } from '../support/output';
import { Bundle, type Cases } from './bundle';
import { filterCases, forwardCases, imageCases, maskCases, tokenizerCases } from './cases';
import { convertBundle } from './convertBundle';
import { Report } from './report';
import { greedyCases, rankingCases } from './taskCases';

/** The same weights in other containers: their conversions must give the same bytes. */
const OTHER_CHECKPOINTS = ['pytorch_model.fp16.bin', 'pytorch_model.legacy.bin'];

/** Of `cases.json`. */
const KNOWN_CASES: ReadonlySet<string> = new Set<keyof Cases>([
  'special_tokens',
  'greedy',
  'rank_images_by_text',
  'rank_texts_by_image',
  'zero_shot',
  'filter',
]);

export interface ParityOptions {
  readonly variants: NonNullable<GpuOptions['variants']>;
  /** Receives one line a case. */
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Converts a reference bundle and compares every case that this version can run; see `rudolph-web parity --help`. */
export async function runParity(folder: string, options: ParityOptions): Promise<Report> {
  const bundle = await Bundle.open(folder);
  const report = new Report(options.print);

  const source = await convertBundle(bundle, 'pytorch_model.bin');
  await conversionCases(bundle, source, report);
  const gpu = await openNodeGpu({ variants: options.variants });
  try {
    status(`adapter: ${gpu.adapter.description || gpu.adapter.device}; kernels: ${variantsLabel(gpu.variants)}`, {
      done: true,
    });
    const engine = await Engine.load(gpu, source, { signal: options.signal });
    const dwtWeights = source.manifest.components.imageDecoderDwt
      ? await Weights.load(gpu.device, source, ['imageDecoderDwt'], { signal: options.signal })
      : null;
    const dwt = dwtWeights ? await ImageTokenizer.create(gpu, dwtWeights, source.manifest) : null;
    try {
      tokenizerCases(bundle, engine.model.tokenizer, report);
      await maskCases(bundle, engine, report);
      await forwardCases(bundle, engine, report, options.signal);
      await imageCases(bundle, engine, dwt, report, options.signal);
      const place = { bundle, engine, report, signal: options.signal };
      await greedyCases(place);
      await rankingCases(place);
      await filterCases(bundle, engine, report);
      for (const name of Object.keys(bundle.cases)) {
        if (!KNOWN_CASES.has(name)) report.leftOut(name, 'this version knows no such case');
      }
    } finally {
      dwt?.dispose();
      dwtWeights?.dispose();
      engine.dispose();
    }
  } finally {
    gpu.dispose();
  }
  return report;
}

/** Special tokens as upstream numbers them; other containers of the same weights give the same shards. */
async function conversionCases(bundle: Bundle, { manifest }: ModelSource, report: Report): Promise<void> {
  const expected = bundle.cases.special_tokens;
  const named =
    expected && Object.fromEntries(Object.entries(expected).map(([name, id]) => [name.replace(/^<|>$/g, ''), id]));
  const sorted = (tokens: Readonly<Record<string, number>> | null): unknown =>
    tokens && Object.entries(tokens).sort(([a], [b]) => a.localeCompare(b));
  report.same('convert.special_tokens', sorted(manifest.specialTokens), sorted(named));
  for (const checkpoint of OTHER_CHECKPOINTS) {
    if (!bundle.has(checkpoint)) continue;
    const other = await convertBundle(bundle, checkpoint);
    report.same(`convert.${checkpoint}`, other.manifest.components.transformer, manifest.components.transformer);
  }
}
