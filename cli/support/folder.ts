import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RudolphError } from '../../src/errors';
import { MANIFEST_FILE } from '../../src/format/manifest';
import type { ModelSource } from '../../src/format/modelSource';
import { parseManifest } from '../../src/format/parseManifest';
import { sha256 } from '../../src/format/sha256';

/**
 * Opens a web model on disk. Every shard that is asked for is checked against the manifest's length and SHA-256.
 * @param model a folder, or the name of a model that ships with the package (`public/models/<name>`; "embedded" is the first).
 * @throws RudolphError `bad-input` when there is no such folder, `bad-model` when the manifest is missing, damaged or too new.
 */
export async function openFolder(model: string): Promise<ModelSource> {
  const folder = resolveModel(model);
  let text: string;
  try {
    text = await readFile(join(folder, MANIFEST_FILE), 'utf8');
  } catch (cause) {
    throw new RudolphError(
      'bad-model',
      `${folder} is no web model: it has no readable ${MANIFEST_FILE} (rudolph-web convert makes one)`,
      { folder },
      { cause },
    );
  }
  const manifest = parseManifest(text, join(folder, MANIFEST_FILE));
  return {
    manifest,
    async shard(entry, signal) {
      signal?.throwIfAborted();
      const path = join(folder, entry.file);
      const count = Object.values(manifest.components).reduce((sum, { shards }) => sum + shards.length, 0);
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        const { size } = await stat(path);
        if (size !== entry.byteLength) {
          throw new RudolphError(
            'bad-model',
            `${path}: shard is damaged (it has ${size} bytes, expected ${entry.byteLength}); convert the model again`,
            { file: entry.file },
          );
        }
        bytes = new Uint8Array(await readFile(path));
      } catch (cause) {
        if (cause instanceof RudolphError) throw cause;
        const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
        const what = missing ? `is missing (one of ${count} shards)` : `cannot be read: ${(cause as Error).message}`;
        throw new RudolphError(
          'bad-model',
          `${path} ${what}; convert the model again`,
          { file: entry.file },
          { cause },
        );
      }
      const hash = await sha256(bytes);
      if (hash !== entry.sha256) {
        throw new RudolphError('bad-model', `${path}: shard is damaged (SHA-256 differs); convert the model again`, {
          file: entry.file,
          hash,
        });
      }
      return bytes.buffer;
    },
  };
}

/** The folder of a model given by path or name. */
function resolveModel(model: string): string {
  const folder = resolve(model);
  if (existsSync(folder) && statSync(folder).isDirectory()) return folder;
  const shipped = shippedModels();
  const named = model === 'embedded' && !shipped.has('embedded') ? [...shipped.values()][0] : shipped.get(model);
  if (named) return named;
  const names = [...shipped.keys()].join(', ') || 'none';
  throw new RudolphError(
    'bad-input',
    `${model} is neither a folder nor a model of this package (there are: ${names})`,
    { model },
  );
}

/** Models of this package, by name. The bundled program lies elsewhere than its source, so the root is searched upwards. */
function shippedModels(): Map<string, string> {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const models = join(folder, 'public', 'models');
    if (existsSync(models)) {
      const names = readdirSync(models).filter((name) => existsSync(join(models, name, MANIFEST_FILE)));
      return new Map(names.sort().map((name) => [name, join(models, name)]));
    }
    if (folder === dirname(folder)) return new Map();
  }
}
