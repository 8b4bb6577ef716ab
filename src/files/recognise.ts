import { type Checkpoint, type NamedSource, openCheckpoint } from '../convert/checkpoint';
import { transformerKey } from '../convert/convert';
import { imageTokenizerKey } from '../convert/imageTokenizer';
import { RudolphError } from '../errors';
import { blobSource, type ByteSource } from '../format/byteSource';
import { MANIFEST_FILE } from '../format/manifest';
import type { ModelFile } from '../format/modelFile';
import { Tokenizer } from '../text/tokenizer';
import type { FileRole } from './report';

/** Roles that a checkpoint's files play; each is played once. */
export type CheckpointRole = Exclude<FileRole, 'manifest' | 'shard'>;

export type Recognised = {
  readonly unused: readonly { readonly path: string; readonly why: string }[];
} & (
  | { readonly kind: 'folder'; readonly manifest: ModelFile; readonly beside: ReadonlyMap<string, ModelFile> }
  | { readonly kind: 'checkpoint'; readonly roles: ReadonlyMap<CheckpointRole, ModelFile> }
);

/** Somebody may drop a whole disk. */
const MOST_FILES = 5000;
/** No config, special tokens or metadata are longer, and no tokenizer is. */
const MOST_TEXT = 16 * 1024 * 1024;

/** For people. */
export const ROLE_NAMES: Readonly<Record<CheckpointRole, string>> = {
  rudolph: 'the transformer (pytorch_model.bin, a fine-tuned .ckpt or .safetensors)',
  vqgan: 'the image tokenizer (e.g. vqgan.gumbelf8-sber.model.ckpt)',
  vqganDwt: 'the image tokenizer with the DWT decoder',
  tokenizer: 'the text tokenizer (bpe.model)',
  config: 'the sizes (config.json)',
  specialTokens: 'the special tokens (JSON)',
  metadata: 'the description (JSON)',
};

/**
 * Says which file is what: by their names for a converted model (a `rudolph.json` with shards beside it), by what is inside for
 * upstream's files. Reads no weights.
 * @throws RudolphError `bad-input` when there are no files, or two play the same part.
 */
export async function recogniseFiles(files: readonly ModelFile[]): Promise<Recognised> {
  const visible = files
    .map(({ path, file }) => ({ path: normalised(path), file }))
    .filter(({ path }) => !isHidden(path));
  if (visible.length === 0) throw new RudolphError('bad-input', 'there are no files to open');
  if (visible.length > MOST_FILES)
    throw new RudolphError('bad-input', `these are ${visible.length} files; choose the folder of one model`);
  const manifests = visible.filter(({ path }) => nameOf(path) === MANIFEST_FILE);
  if (manifests.length > 1) {
    const paths = manifests.map(({ path }) => path);
    throw new RudolphError('bad-input', `there are ${paths.length} models (${some(paths)}); choose the folder of one`, {
      paths,
    });
  }
  return manifests[0] ? besideManifest(manifests[0], visible) : byContent(visible);
}

function besideManifest(manifest: ModelFile, files: readonly ModelFile[]): Recognised {
  const folder = manifest.path.slice(0, -MANIFEST_FILE.length);
  const beside = new Map<string, ModelFile>();
  const unused: { path: string; why: string }[] = [];
  for (const file of files) {
    const name = file.path.slice(folder.length);
    if (file === manifest) continue;
    if (file.path.startsWith(folder) && !name.includes('/')) beside.set(name, file);
    else unused.push({ path: file.path, why: `${file.path} does not lie beside ${manifest.path}` });
  }
  return { kind: 'folder', manifest, beside, unused };
}

async function byContent(files: readonly ModelFile[]): Promise<Recognised> {
  const roles = new Map<CheckpointRole, ModelFile>();
  const unused: { path: string; why: string }[] = [];
  for (const file of files) {
    let role: CheckpointRole;
    try {
      role = await roleOf(file);
    } catch (error) {
      if (!(error instanceof RudolphError) || error.details['unreadable'] === true) throw error;
      unused.push({ path: file.path, why: error.message });
      continue;
    }
    const other = roles.get(role);
    if (other) {
      const paths = [other.path, file.path];
      throw new RudolphError('bad-input', `${paths.join(' and ')} are both ${ROLE_NAMES[role]}; choose one of them`, {
        role,
        paths,
      });
    }
    roles.set(role, file);
  }
  return { kind: 'checkpoint', roles, unused };
}

/** @throws RudolphError with a sentence about what the file is instead. */
async function roleOf(file: ModelFile): Promise<CheckpointRole> {
  const named = namedSource(file);
  const { source, label } = named;
  const head = new TextDecoder('latin1').decode(await source.slice(0, Math.min(64, source.byteLength)));
  if (source.byteLength <= MOST_TEXT) {
    if (/^\s*\{/.test(head)) return roleOfJson(await readText(file), label);
    if (/^\d+ \d+\r?\n/.test(head)) {
      Tokenizer.parse(new Uint8Array(await source.slice(0, source.byteLength)), label);
      return 'tokenizer';
    }
  }
  return roleOfCheckpoint(await openCheckpoint(named));
}

function roleOfCheckpoint({ label, tensors }: Checkpoint): CheckpointRole {
  const keys = [...tensors.keys()];
  if (keys.some((key) => transformerKey(key)?.startsWith('transformer.layers.'))) return 'rudolph';
  const image = new Set(keys.map(imageTokenizerKey));
  if (image.has('decoder.decoder.conv_in.weight')) return 'vqganDwt';
  if (image.has('encoder.conv_in.weight') || image.has('decoder.conv_in.weight')) return 'vqgan';
  throw new RudolphError(
    'bad-checkpoint',
    `${label} is neither a RUDOLPH nor its image tokenizer (its tensors: ${some(keys)})`,
  );
}

function roleOfJson(text: string, label: string): CheckpointRole {
  const fail = (what: string): never => {
    throw new RudolphError('bad-input', `${label} ${what}`);
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail('is no JSON');
  }
  const keys = new Set(Object.keys(json as object));
  if (keys.has('rudolph') || (keys.has('num_layers') && keys.has('l_text_seq_length'))) return 'config';
  if (keys.size > 0 && [...keys].every((key) => /^<?[LR]T_[A-Z0-9_]+>?$/.test(key))) return 'specialTokens';
  const people = ['name', 'description', 'attribution', 'examples'];
  if (keys.size > 0 && [...keys].every((key) => people.includes(key))) return 'metadata';
  return fail('is JSON of another kind than sizes, special tokens or a description');
}

/** The file as the converter reads it. */
export function namedSource({ path, file }: ModelFile): NamedSource {
  return { label: nameOf(path), source: watched(blobSource(file), path) };
}

/** @throws RudolphError `bad-input` when the file cannot be read any more. */
export async function readText({ path, file }: ModelFile): Promise<string> {
  const source = watched(blobSource(file), path);
  return new TextDecoder().decode(await source.slice(0, source.byteLength));
}

/** Browsers refuse to read a file that was changed after it was chosen, with a message that nobody understands. */
function watched(source: ByteSource, path: string): ByteSource {
  return {
    byteLength: source.byteLength,
    slice: async (start, end) => {
      try {
        return await source.slice(start, end);
      } catch (cause) {
        throw new RudolphError(
          'bad-input',
          `${path} cannot be read any more: it was changed, moved or removed after it was chosen, or it is too large for this browser. Choose it again`,
          { path, unreadable: true },
          { cause },
        );
      }
    },
  };
}

/** "a, b, c and 12 more". */
export function some(names: readonly string[]): string {
  const rest = names.length - 3;
  return names.slice(0, 3).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Paths only name files, for messages and to find shards beside their manifest; nothing is ever written to one. */
function normalised(path: string): string {
  return path
    .replaceAll('\\', '/')
    .replace(/[\p{Cc}\p{Cf}]/gu, '?')
    .replace(/^(?:\.?\/)+/, '');
}

/** What systems and tools put beside files: `.DS_Store`, `.git` (whose LFS objects are checkpoints too), `__MACOSX`. */
function isHidden(path: string): boolean {
  return path.split('/').some((part) => (part.startsWith('.') && part !== '..') || part === '__MACOSX');
}
