import { version } from '../../package.json';
import { type ConvertOptions, convertModel } from '../../src/convert/convert';
import { RudolphError } from '../../src/errors';
import type { Manifest } from '../../src/format/manifest';
import type { ModelSource } from '../../src/format/modelSource';
import { sha256 } from '../../src/format/sha256';
import { openFile, readWholeFile } from '../support/fileSource';
import type { Bundle } from './bundle';

/** Converts a bundle with one of its transformer checkpoints, in memory. */
export async function convertBundle(bundle: Bundle, checkpoint: string): Promise<ModelSource> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const open = async (name: string): Promise<ConvertOptions['rudolph'] & { close(): Promise<void> }> => {
    const source = await openFile(bundle.path(name));
    return { source, label: name, close: () => source.close() };
  };
  const named = ['vqgan.ckpt', 'vqgan_dwt.ckpt'].map((name) => (bundle.has(name) ? open(name) : null));
  const [rudolph, tokenizer, vqgan, vqganDwt] = await Promise.all([open(checkpoint), open('bpe.model'), ...named]);
  try {
    const { manifest } = await convertModel({
      rudolph: rudolph!,
      tokenizer: tokenizer!,
      ...(vqgan ? { vqgan } : {}),
      ...(vqganDwt ? { vqganDwt } : {}),
      config: { label: 'config.json', text: new TextDecoder().decode(await readWholeFile(bundle.path('config.json'))) },
      producer: `rudolph-web ${version}`,
      sink: { write: async (file, bytes) => void files.set(file, bytes.slice()) },
    });
    return memoryModel(manifest, files);
  } finally {
    for (const file of [rudolph, tokenizer, vqgan, vqganDwt]) await file?.close();
  }
}

function memoryModel(manifest: Manifest, files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): ModelSource {
  return {
    manifest,
    async shard(entry) {
      const bytes = files.get(entry.file);
      if (!bytes || (await sha256(bytes)) !== entry.sha256)
        throw new RudolphError('bad-model', `shard ${entry.file} is damaged`);
      return bytes.slice().buffer;
    },
  };
}
