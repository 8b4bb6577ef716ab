import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_FILE, type Manifest } from '../../src/format/manifest';
import { ShardWriter } from '../../src/format/shards';
import type { Gpu } from '../../src/gpu/device';
import { ImageTokenizer } from '../../src/model/imageTokenizer';
import { meanColours } from '../../src/model/meanColours';
import { Weights } from '../../src/model/weights';
import { openFolder } from './folder';
import { status } from './output';

/** Computes the mean colour of each code with the engine and adds it to the web model in `folder`. */
export async function addPreview(gpu: Gpu, folder: string, manifest: Manifest, signal: AbortSignal): Promise<Manifest> {
  const source = await openFolder(folder);
  const weights = await Weights.load(gpu.device, source, ['imageDecoder'], { signal });
  const tokenizer = await ImageTokenizer.create(gpu, weights, manifest);
  try {
    const colours = await meanColours(tokenizer, {
      signal,
      onProgress: (done) => status(`preview colours: ${Math.floor(100 * done)} %`),
    });
    const writer = new ShardWriter('preview', { write: (file, bytes) => writeFile(join(folder, file), bytes) });
    await writer.begin('quantize.mean_colours', 'u8', [colours.length / 3, 3]);
    await writer.append(colours);
    await writer.finish();
    const complete: Manifest = {
      ...manifest,
      components: { ...manifest.components, preview: { byteLength: writer.byteLength, shards: writer.shards } },
      tensors: [...manifest.tensors, ...writer.tensors],
    };
    await writeFile(join(folder, MANIFEST_FILE), `${JSON.stringify(complete)}\n`);
    return complete;
  } finally {
    tokenizer.dispose();
    weights.dispose();
  }
}
