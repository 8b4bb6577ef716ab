import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_FILE, type Manifest } from '../../src/format/manifest';
import type { Gpu } from '../../src/gpu/device';
import { addPreviewTable } from '../../src/model/previewTable';
import { openFolder } from './folder';
import { status } from './output';

/** Computes the mean colour of each code with the engine and adds it to the web model in `folder`. */
export async function addPreview(gpu: Gpu, folder: string, signal: AbortSignal): Promise<Manifest> {
  const complete = await addPreviewTable(
    gpu,
    await openFolder(folder),
    { write: (file, bytes) => writeFile(join(folder, file), bytes) },
    { signal, onProgress: (done) => status(`preview colours: ${Math.floor(100 * done)} %`) },
  );
  await writeFile(join(folder, MANIFEST_FILE), `${JSON.stringify(complete)}\n`);
  return complete;
}
