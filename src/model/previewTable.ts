import type { Manifest } from '../format/manifest';
import type { ModelSource } from '../format/modelSource';
import { type FileSink, ShardWriter } from '../format/shards';
import type { Gpu } from '../gpu/device';
import { ImageTokenizer } from './imageTokenizer';
import { meanColours } from './meanColours';
import { Weights } from './weights';

/**
 * Computes the mean colour of each image code, for live previews, and writes it to the sink as the component `preview`.
 * @param source a model with a plain image decoder.
 * @returns the manifest with the new component; writing it is the caller's.
 */
export async function addPreviewTable(
  gpu: Gpu,
  source: ModelSource,
  sink: FileSink,
  options: { readonly signal?: AbortSignal; readonly onProgress?: (done: number) => void } = {},
): Promise<Manifest> {
  const { manifest } = source;
  const weights = await Weights.load(
    gpu.device,
    source,
    ['imageDecoder'],
    options.signal ? { signal: options.signal } : {},
  );
  let tokenizer: ImageTokenizer | undefined;
  try {
    tokenizer = await ImageTokenizer.create(gpu, weights, manifest);
    const colours = await meanColours(tokenizer, options);
    const writer = new ShardWriter('preview', sink);
    await writer.begin('quantize.mean_colours', 'u8', [colours.length / 3, 3]);
    await writer.append(colours);
    await writer.finish();
    return {
      ...manifest,
      components: { ...manifest.components, preview: { byteLength: writer.byteLength, shards: writer.shards } },
      tensors: [...manifest.tensors, ...writer.tensors],
    };
  } finally {
    tokenizer?.dispose();
    weights.dispose();
  }
}
