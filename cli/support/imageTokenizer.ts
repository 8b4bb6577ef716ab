import { RudolphError } from '../../src/errors';
import type { ComponentName } from '../../src/format/manifest';
import { ImageTokenizer } from '../../src/model/imageTokenizer';
import { tested } from '../../src/model/selfTest';
import { Weights } from '../../src/model/weights';
import { openNodeGpu } from '../dawn';
import { variantsOf } from './engine';
import { openFolder } from './folder';
import type { Options } from './options';

const HINTS: Partial<Record<ComponentName, string>> = {
  imageDecoder: 'it may have the DWT decoder: try --dwt',
  imageDecoderDwt: 'convert the model with --vqgan-dwt',
};

/** Opens one component of --model's image tokenizer, and nothing else, hands it to `work` and frees it. */
export async function withImageTokenizer<T>(
  options: Options,
  component: ComponentName,
  signal: AbortSignal,
  work: (tokenizer: ImageTokenizer) => Promise<T>,
): Promise<T> {
  const source = await openFolder(options.required('model', 'the folder of a web model, or "embedded"'));
  const { manifest } = source;
  if (!manifest.components[component]) {
    const hint = HINTS[component] ?? 'convert the model with --vqgan';
    throw new RudolphError('unsupported', `the model ${manifest.name} has no ${component}; ${hint}`, { component });
  }
  const gpu = tested(await openNodeGpu({ variants: variantsOf(options) }));
  try {
    const weights = await Weights.load(gpu.device, source, [component], { signal });
    const tokenizer = await ImageTokenizer.create(gpu, weights, manifest);
    try {
      return await work(tokenizer);
    } finally {
      tokenizer.dispose();
      weights.dispose();
    }
  } finally {
    gpu.dispose();
  }
}
