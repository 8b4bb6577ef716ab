import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FORMAT_VERSION, MANIFEST_FILE } from '../../src/format/manifest';
import { convertTiny, FOLDER } from '../convert/tiny';
import { sha256 } from '../../src/format/sha256';

/** Where Vite's server finds it: at the same path, `/node_modules/.cache/…`. */
export const TINY_WEB_MODEL = 'node_modules/.cache/tiny-a-web';

/** Vitest's global setup of the browser tests: converts tiny-a, unless the same was converted before. */
export async function setup(): Promise<void> {
  const converter = ['src/convert', 'src/format'].flatMap((folder) =>
    readdirSync(folder).map((name) => readFileSync(join(folder, name))),
  );
  const inputs = ['pytorch_model.bin', 'vqgan.ckpt', 'bpe.model', 'config.json'].map((name) =>
    readFileSync(join(FOLDER, name)),
  );
  const stamp = `${FORMAT_VERSION} ${await sha256(Buffer.concat([...inputs, ...converter]))}`;
  const stampFile = join(TINY_WEB_MODEL, 'stamp');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  const { files } = await convertTiny();
  const fresh = `${TINY_WEB_MODEL}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(fresh, name), bytes);
  writeFileSync(join(fresh, 'stamp'), stamp);
  rmSync(TINY_WEB_MODEL, { recursive: true, force: true });
  renameSync(fresh, TINY_WEB_MODEL);
  if (!files.has(MANIFEST_FILE)) throw new Error(`the converter wrote no ${MANIFEST_FILE}`);
}
