import { RudolphError } from '../../src/errors';
import type { ModelSource } from '../../src/format/modelSource';
import { ImageTokenizer } from '../../src/model/imageTokenizer';
import { Weights } from '../../src/model/weights';
import { Engine } from '../../src/tasks/engine';
import { openNodeGpu } from '../dawn';
import { Bundle } from '../parity/bundle';
import { filterCases, forwardCases, greedyCases, imageCases, maskCases, tokenizerCases } from '../parity/cases';
import { convertBundle } from '../parity/convertBundle';
import { Report } from '../parity/report';
import type { Command } from '../support/command';
import { variantsOf } from '../support/engine';
import { Options } from '../support/options';
import { print, status } from '../support/output';

/** The same weights in other containers: their conversions must give the same bytes. */
const OTHER_CHECKPOINTS = ['pytorch_model.fp16.bin', 'pytorch_model.legacy.bin'];

export const command: Command = {
  name: 'parity',
  summary: 'compare converter and engine with upstream, on a reference bundle',
  usage: `Usage: rudolph-web parity DIR [--variants auto|base|f16]

Converts the checkpoints of a reference bundle (upstream's own numbers on a small random model) and compares conversion,
tokenizer, masks, preprocessing, forward passes, hidden states, image encoding and decoding, greedy pictures and captions
and filtering. Prints a line a case with the largest difference; the exit code is 1 if any fails.

  --variants V        kernels: auto (default: what this adapter can do), base (no optional feature), f16`,
  async run(args, signal) {
    const options = new Options(args, { values: ['variants'], positionals: 'the folder of a bundle' });
    const [folder, ...more] = options.positionals;
    if (folder === undefined || more.length > 0) throw new RudolphError('bad-input', 'parity takes one folder: a reference bundle');
    const bundle = await Bundle.open(folder);
    const report = new Report(print);

    const source = await convertBundle(bundle, 'pytorch_model.bin');
    await conversionCases(bundle, source, report);
    const gpu = await openNodeGpu({ variants: variantsOf(options) });
    try {
      status(`adapter: ${gpu.adapter.description || gpu.adapter.device}; kernels: ${gpu.variants.f16 ? 'f16' : 'base'}`, { done: true });
      const engine = await Engine.load(gpu, source, { signal });
      const dwtWeights = source.manifest.components.imageDecoderDwt ? await Weights.load(gpu.device, source, ['imageDecoderDwt'], { signal }) : null;
      const dwt = dwtWeights ? await ImageTokenizer.create(gpu, dwtWeights, source.manifest) : null;
      try {
        tokenizerCases(bundle, engine.model.tokenizer, report);
        await maskCases(bundle, engine, report);
        await forwardCases(bundle, engine, report, signal);
        await imageCases(bundle, engine, dwt, report, signal);
        await greedyCases(bundle, engine, report, signal);
        await filterCases(bundle, engine, report);
        for (const name of ['rank_images_by_text', 'rank_texts_by_image', 'zero_shot'] as const) {
          if (bundle.cases[name]) report.leftOut(name, 'this version has no such task');
        }
      } finally {
        dwt?.dispose();
        dwtWeights?.dispose();
        engine.dispose();
      }
    } finally {
      gpu.dispose();
    }
    print(`${report.passed} passed, ${report.failed} failed`);
    if (report.failed > 0 || report.passed === 0) process.exitCode = 1;
  },
};

/** Special tokens as upstream numbers them; other containers of the same weights give the same shards. */
async function conversionCases(bundle: Bundle, { manifest }: ModelSource, report: Report): Promise<void> {
  const expected = bundle.cases.special_tokens;
  const named = expected && Object.fromEntries(Object.entries(expected).map(([name, id]) => [name.replace(/^<|>$/g, ''), id]));
  const sorted = (tokens: Readonly<Record<string, number>> | null): unknown => tokens && Object.entries(tokens).sort(([a], [b]) => a.localeCompare(b));
  report.same('convert.special_tokens', sorted(manifest.specialTokens), sorted(named));
  for (const checkpoint of OTHER_CHECKPOINTS) {
    if (!bundle.has(checkpoint)) continue;
    const other = await convertBundle(bundle, checkpoint);
    report.same(`convert.${checkpoint}`, other.manifest.components.transformer, manifest.components.transformer);
  }
}
