import { PRESETS } from '../convert/config';
import { type Conversion, type ConversionInput, prepareConversion } from '../convert/convert';
import { parseMetadata } from '../convert/metadata';
import { type PlainError, RudolphError, toPlain } from '../errors';
import { type Manifest, MOST_MANIFEST, type ShardEntry } from '../format/manifest';
import type { ModelFile } from '../format/modelFile';
import { parseManifest } from '../format/parseManifest';
import { type Databases, hasShard } from '../store/databases';
import { freeBytes } from '../store/room';
import {
  namedSource,
  readText,
  type Recognised,
  recogniseFiles,
  ROLE_NAMES,
  type CheckpointRole,
  some,
} from './recognise';
import type { ConvertSettings, FileRole, FilesReport } from './report';

/** A converted model in somebody's folder: all its shards are there, in their right length. */
export interface FolderFiles {
  readonly kind: 'folder';
  /** The manifest, and as the file has it. */
  readonly manifest: Manifest;
  readonly text: string;
  /** Every shard once. */
  readonly shards: readonly { readonly entry: ShardEntry; readonly file: ModelFile }[];
}

/** Upstream's files, which fit together. */
export interface CheckpointFiles {
  readonly kind: 'checkpoint';
  readonly conversion: Conversion;
}

export type OpenedFiles = FolderFiles | CheckpointFiles;

/**
 * Recognises files and checks everything that can be checked without reading weights.
 * @throws RudolphError `bad-input`, `bad-checkpoint` or `bad-model` in one sentence that names the files.
 */
export async function openFiles(
  files: readonly ModelFile[],
  settings: ConvertSettings,
  producer: string,
): Promise<OpenedFiles> {
  return openRecognised(await recogniseFiles(files), settings, producer);
}

/** What some files make, in plain data; see `FilesReport`. Never rejects for what is wrong with the files. */
export async function inspectFiles(
  files: readonly ModelFile[],
  settings: ConvertSettings,
  producer: string,
  databases: Databases | null,
): Promise<FilesReport> {
  const free = await freeBytes();
  const nothing = {
    name: null,
    used: [],
    missing: [],
    unused: [],
    neededBytes: null,
    freeBytes: free,
  };
  let recognised: Recognised;
  try {
    recognised = await recogniseFiles(files);
  } catch (error) {
    return { ...nothing, kind: 'nothing', problem: toPlain(error) };
  }
  const known = {
    kind: recognised.kind === 'checkpoint' && recognised.roles.size === 0 ? ('nothing' as const) : recognised.kind,
    unused: recognised.unused,
    missing: recognised.kind === 'checkpoint' ? missingRoles(recognised.roles) : [],
  };
  try {
    const opened = await openRecognised(recognised, settings, producer);
    return {
      ...known,
      ...(opened.kind === 'folder'
        ? { name: opened.manifest.name, neededBytes: await missingBytes(opened, databases) }
        : { name: opened.conversion.name, neededBytes: opened.conversion.byteLength }),
      used: usedFiles(recognised, opened),
      freeBytes: free,
      problem: null,
    };
  } catch (error) {
    const problem = toPlain(error);
    // Sizes are missing only where no published model has these shapes, which the transformer's file tells.
    const missing = known.missing.length === 0 && namesConfig(problem) ? (['config'] as const) : known.missing;
    return { ...nothing, ...known, missing, used: usedFiles(recognised, null), problem };
  }
}

/** Bytes of the shards that are not stored yet. */
export async function missingBytes({ shards }: FolderFiles, databases: Databases | null): Promise<number> {
  let sum = 0;
  for (const { entry } of shards) {
    const here = databases !== null && (await hasShard(databases, entry.sha256).catch(() => false));
    if (!here) sum += entry.byteLength;
  }
  return sum;
}

async function openRecognised(
  recognised: Recognised,
  settings: ConvertSettings,
  producer: string,
): Promise<OpenedFiles> {
  if (recognised.kind === 'folder') return openFolder(recognised.manifest, recognised.beside);
  const input = await conversionInput(recognised, settings, producer);
  return { kind: 'checkpoint', conversion: await prepareConversion(input) };
}

async function openFolder(file: ModelFile, beside: ReadonlyMap<string, ModelFile>): Promise<FolderFiles> {
  if (file.file.size > MOST_MANIFEST)
    throw new RudolphError(
      'bad-model',
      `${file.path} is ${file.file.size} bytes long: it is no manifest of a web model`,
    );
  const text = await readText(file);
  const manifest = parseManifest(text, file.path);
  const folder = file.path.slice(0, file.path.lastIndexOf('/') + 1);
  const shards = new Map<string, { entry: ShardEntry; file: ModelFile }>();
  const missing: string[] = [];
  let count = 0;
  for (const entry of Object.values(manifest.components).flatMap((component) => component?.shards ?? [])) {
    count++;
    const shard = beside.get(entry.file);
    if (!shard) missing.push(`${folder}${entry.file}`);
    else if (shard.file.size !== entry.byteLength) {
      throw new RudolphError(
        'bad-model',
        `${shard.path} is damaged: it has ${shard.file.size} bytes, the manifest says ${entry.byteLength}. Copy the folder anew, or convert the model again`,
        { file: shard.path, expected: entry.byteLength },
      );
    } else shards.set(entry.sha256, { entry, file: shard });
  }
  if (missing.length > 0) {
    throw new RudolphError(
      'bad-model',
      `${missing.length} of ${count} shards of ${manifest.name} are missing: ${some(missing)}. Choose the whole folder, as the converter wrote it`,
      { missing: missing.slice(0, 20) },
    );
  }
  return { kind: 'folder', manifest, text, shards: [...shards.values()] };
}

function namesConfig({ details }: PlainError): boolean {
  return Array.isArray(details['missing']) && details['missing'].includes('config');
}

function missingRoles(roles: ReadonlyMap<CheckpointRole, ModelFile>): FileRole[] {
  const missing: FileRole[] = [];
  if (!roles.has('rudolph')) missing.push('rudolph');
  if (!roles.has('vqgan') && !roles.has('vqganDwt')) missing.push('vqgan');
  if (!roles.has('tokenizer')) missing.push('tokenizer');
  return missing;
}

async function conversionInput(
  { roles, unused }: Extract<Recognised, { kind: 'checkpoint' }>,
  settings: ConvertSettings,
  producer: string,
): Promise<ConversionInput> {
  const missing = missingRoles(roles) as CheckpointRole[];
  const labelled = async (role: CheckpointRole): Promise<{ label: string; text: string } | null> => {
    const file = roles.get(role);
    return file ? { label: namedSource(file).label, text: await readText(file) } : null;
  };
  if (missing.length > 0) {
    const found = [...roles].map(([role, { path }]) => `${path} is ${ROLE_NAMES[role].replace(/ \(.*/, '')}`);
    const sentences = [
      roles.size === 0
        ? `these files hold no model: expected a folder with rudolph.json, or ${missing.map((role) => ROLE_NAMES[role]).join(', ')}`
        : `the model is not complete: add ${missing.map((role) => ROLE_NAMES[role]).join(' and ')}`,
      ...(found.length > 0 ? [`Recognised: ${some(found)}`] : []),
      ...(unused.length > 0 ? [`Not used: ${some(unused.map(({ why }) => why))}`] : []),
    ];
    throw new RudolphError('bad-input', sentences.join('. '), {
      missing,
      found: [...roles].map(([role, { path }]) => ({ role, path })),
      unused: unused.slice(0, 20),
    });
  }
  const { name, preset, specialTokens } = settings;
  if (preset !== undefined && !Object.hasOwn(PRESETS, preset))
    throw new RudolphError('bad-input', `the preset is ${preset}, expected ${Object.keys(PRESETS).join(', ')}`);
  if (specialTokens !== undefined && specialTokens !== 'base' && specialTokens !== 'fbc2')
    throw new RudolphError('bad-input', `specialTokens is ${String(specialTokens)}, expected base or fbc2`);
  const [config, special, metadata] = [
    await labelled('config'),
    await labelled('specialTokens'),
    await labelled('metadata'),
  ];
  const vqgan = roles.get('vqgan');
  const vqganDwt = roles.get('vqganDwt');
  const tokens = specialTokens ?? special;
  return {
    rudolph: namedSource(roles.get('rudolph')!),
    ...(vqgan ? { vqgan: namedSource(vqgan) } : {}),
    ...(vqganDwt ? { vqganDwt: namedSource(vqganDwt) } : {}),
    tokenizer: namedSource(roles.get('tokenizer')!),
    ...(preset ? { preset } : config ? { config } : {}),
    ...(tokens ? { specialTokens: tokens } : {}),
    metadata: { ...(metadata ? parseMetadata(metadata) : {}), ...(name ? { name } : {}) },
    producer,
  };
}

function usedFiles(recognised: Recognised, opened: OpenedFiles | null): FilesReport['used'] {
  const line = (role: FileRole, { path, file }: ModelFile) => ({ path, role, byteLength: file.size });
  if (recognised.kind === 'checkpoint') return [...recognised.roles].map(([role, file]) => line(role, file));
  const shards = opened?.kind === 'folder' ? opened.shards.map(({ file }) => line('shard', file)) : [];
  return [line('manifest', recognised.manifest), ...shards];
}
