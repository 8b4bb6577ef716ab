import { VARIANT_NAMES } from '../src/gpu/variants';
import { given, Options } from '../cli/support/options';
import { RudolphError } from '../src/errors';
import { type BenchOptions, MODEL_NAMES, SECTIONS } from './context';

export const USAGE = `Usage: npm run bench -- [options]          in Node, on Dawn
       npm run bench:browser -- [options]  in a headless Chromium

Measures the engine on this machine's adapter: a ruler (what plain kernels reach), single kernels at the shapes of the presets, whole
models, and with --peer onnxruntime on the same weights. bench/README.md says what is measured, and how.

  --only LIST         of ruler, kernels, models, peer (default: ruler, kernels, models; with --peer ruler, peer)
  --peer              compare with onnxruntime; installs it into bench/peer and exports the models at the first time
  --presets LIST      shapes of the kernels: ${MODEL_NAMES.join(', ')} (default: all presets; 350M on a software adapter)
  --rows LIST         rows of kernels, candidates of steps (default: 1,4,16,48; 1,4 on a software adapter)
  --models LIST       models that are timed whole: embedded, or presets on random weights (default: all; embedded on a
                      software adapter)
  --peer-models LIST  (default: embedded,350M; embedded on a software adapter)
  --peer-types LIST   of f32, f16 (default: both, f16 where the adapter has it)
  --providers LIST    onnxruntime's: webgpu, cpu in Node; webgpu, wasm in Chromium (default: both)
  --batches LIST      candidates against the peer (default: 1,8)
  --samples N         of each measurement (default: 9; 5 on a software adapter)
  --budget SECONDS    nothing new is begun after that (default: 900; 600 on a software adapter)
  --variants V        auto (default), base, f16, subgroups
  --note TEXT         stands in the results, e.g. what else the machine was doing
  --json FILE         everything, as JSON`;

const VALUES = [
  'only',
  'presets',
  'rows',
  'models',
  'peer-models',
  'peer-types',
  'providers',
  'batches',
  'samples',
  'budget',
  'variants',
  'note',
  'json',
];

export interface CommandLine {
  readonly options: BenchOptions;
  readonly json: string | undefined;
}

/** @throws RudolphError `bad-input` for what is no option or no choice. */
export function parseCommandLine(args: readonly string[], providers: readonly string[]): CommandLine {
  const options = new Options(args, { values: VALUES, flags: ['peer'] });
  const list = <T extends string>(name: string, choices: readonly T[]): readonly T[] | undefined => {
    const words = options.string(name)?.split(',').filter(Boolean);
    const stranger = words?.find((word) => !choices.includes(word as T));
    if (stranger !== undefined)
      throw new RudolphError('bad-input', `--${name} has "${stranger}"; it can be ${choices.join(', ')}`);
    return words as readonly T[] | undefined;
  };
  const numbers = (name: string): readonly number[] | undefined =>
    options
      .string(name)
      ?.split(',')
      .map((word) => {
        if (!/^[1-9]\d{0,2}$/.test(word))
          throw new RudolphError('bad-input', `--${name} has "${word}"; expected numbers from 1 to 999`);
        return Number(word);
      });
  const peer = options.flag('peer');
  const sections = list('only', SECTIONS) ?? (peer ? (['ruler', 'peer'] as const) : undefined);
  return {
    options: given({
      sections,
      presets: list('presets', MODEL_NAMES),
      rows: numbers('rows'),
      models: list('models', MODEL_NAMES),
      peerModels: list('peer-models', MODEL_NAMES),
      peerTypes: list('peer-types', ['f32', 'f16'] as const),
      peerProviders: list('providers', providers) ?? providers,
      peerBatches: numbers('batches'),
      samples: options.integer('samples', { min: 1, max: 1000 }),
      budget: options.number('budget', { min: 1 }),
      variants: options.choice('variants', VARIANT_NAMES),
      note: options.string('note'),
    }),
    json: options.string('json'),
  };
}

/** Which exports the peer needs; null: no peer was asked for. */
export function peerModelsOf({ sections, peerModels }: BenchOptions, software: boolean): readonly string[] | null {
  if (!sections?.includes('peer')) return null;
  return peerModels ?? (software ? ['embedded'] : ['embedded', '350M']);
}
