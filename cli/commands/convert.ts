import { existsSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { version } from '../../package.json';
import { PRESETS } from '../../src/convert/config';
import type { PresetName } from '../../src/convert/config';
import { convertModel } from '../../src/convert/convert';
import type { ConvertOptions, ConvertResult } from '../../src/convert/convert';
import { parseMetadata } from '../../src/convert/metadata';
import { RudolphError } from '../../src/errors';
import { MANIFEST_FILE } from '../../src/format/manifest';
import type { Gpu } from '../../src/gpu/device';
import { openFile, readWholeFile } from '../support/fileSource';
import type { FileSource } from '../support/fileSource';
import { Options } from '../support/options';
import { print, status } from '../support/output';
import type { Command } from '../support/command';

const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

export const command: Command = {
  name: 'convert',
  summary: 'a checkpoint of RUDOLPH to a web model',
  usage: `Usage: rudolph-web convert --rudolph F --vqgan F [--vqgan-dwt F] --tokenizer F
                           [--preset NAME | --config F] [--special-tokens S] --out DIR

Turns upstream's files into a folder that any static host can serve: rudolph.json and shards of at most 16 MiB.
Nothing in the files is executed. DIR appears only when everything is written.

  --rudolph F         pytorch_model.bin, a fine-tuned .ckpt, or .safetensors (fp32, fp16 or bf16)
  --vqgan F           the image tokenizer, e.g. vqgan.gumbelf8-sber.model.ckpt
  --vqgan-dwt F       its DWT variant: pictures of twice the side (alone, it encodes as well)
  --tokenizer F       bpe.model of YouTokenToMe
  --preset NAME       sizes of ${PRESET_NAMES.join(', ')}
                      (default: the one whose shapes match; 2.7B for 2.7B_fbc2 too, unless --special-tokens fbc2)
  --config F          JSON with the sizes, for any other model: {"rudolph": {upstream's parameters}, "vqgan": {…}}
  --special-tokens S  base, fbc2, or a JSON file {"LT_UNK": 16384, …} (default: the config file's, else base; fbc2 with
                      --preset 2.7B_fbc2)
  --name TEXT         the model's name for people
  --metadata F        JSON with name, description, attribution, examples for the manifest
  --preview on|off    compute the mean colour of each image code, for live previews: needs a graphics adapter
                      (default: on where there is one that is not software)
  --force             replace DIR if it is a web model already
  --out DIR           the folder to make`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [
        'rudolph',
        'vqgan',
        'vqgan-dwt',
        'tokenizer',
        'preset',
        'config',
        'special-tokens',
        'name',
        'metadata',
        'preview',
        'out',
      ],
      flags: ['force'],
    });
    const preset = options.choice('preset', PRESET_NAMES);
    const preview = options.choice('preview', ['on', 'off']);
    const paths = {
      rudolph: options.required('rudolph', "upstream's pytorch_model.bin"),
      vqgan: options.string('vqgan'),
      vqganDwt: options.string('vqgan-dwt'),
      tokenizer: options.required('tokenizer', "upstream's bpe.model"),
    };
    const target = resolve(options.required('out', 'the folder to make'));
    if (paths.vqgan === undefined && paths.vqganDwt === undefined)
      throw new RudolphError('bad-input', '--vqgan is missing: the image tokenizer');
    if (preset && options.string('config') !== undefined)
      throw new RudolphError('bad-input', '--preset and --config exclude each other');
    checkTarget(target, options.flag('force'));

    const files: FileSource[] = [];
    const open = async (path: string) => {
      const source = await openFile(path);
      files.push(source);
      return { source, label: source.label };
    };
    try {
      const special = options.string('special-tokens');
      const config = options.string('config');
      const request: Omit<ConvertOptions, 'sink'> = {
        rudolph: await open(paths.rudolph),
        ...(paths.vqgan === undefined ? {} : { vqgan: await open(paths.vqgan) }),
        ...(paths.vqganDwt === undefined ? {} : { vqganDwt: await open(paths.vqganDwt) }),
        tokenizer: await open(paths.tokenizer),
        ...(preset === undefined ? {} : { preset }),
        ...(config === undefined ? {} : { config: await readText(config) }),
        ...(special === undefined
          ? {}
          : { specialTokens: special === 'base' || special === 'fbc2' ? special : await readText(special) }),
        metadata: await metadataOf(options),
        producer: `rudolph-web ${version}`,
        signal,
        onProgress: ({ component, writtenBytes, totalBytes }) =>
          status(
            `${component}: ${Math.floor((100 * writtenBytes) / totalBytes)} % of ${(totalBytes / 1e6).toFixed(1)} MB`,
          ),
      };
      const { manifest, notes } = await intoFolder(target, async (folder) => {
        const result = await convertModel({
          ...request,
          sink: { write: (file, bytes) => writeFile(join(folder, file), bytes) },
        });
        return withPreview(folder, result, preview, signal);
      });
      for (const note of notes) status(`note: ${note}`, { done: true });
      const bytes = Object.values(manifest.components).reduce((sum, { byteLength }) => sum + byteLength, 0);
      status(`${manifest.name}: ${manifest.tensors.length} tensors, ${(bytes / 1e6).toFixed(1)} MB`, { done: true });
      print(target);
    } finally {
      for (const file of files) await file.close();
    }
  },
};

async function readText(path: string): Promise<{ label: string; text: string }> {
  return { label: basename(path), text: new TextDecoder().decode(await readWholeFile(path)) };
}

async function metadataOf(options: Options): Promise<ReturnType<typeof parseMetadata>> {
  const path = options.string('metadata');
  const name = options.string('name');
  const file = path === undefined ? {} : parseMetadata(await readText(path));
  return name === undefined ? file : { ...file, name };
}

/** A folder may be replaced when it is empty, or with --force when it is a web model: never somebody's home by a slip. */
function checkTarget(target: string, force: boolean): void {
  if (!existsSync(target)) return;
  let content: string[];
  try {
    content = readdirSync(target);
  } catch {
    throw new RudolphError('bad-input', `${target} is no folder; choose another --out`);
  }
  if (content.length === 0) return;
  if (!content.includes(MANIFEST_FILE))
    throw new RudolphError(
      'bad-input',
      `${target} exists and holds something else than a web model; choose another --out`,
    );
  if (!force) throw new RudolphError('bad-input', `${target} exists already; --force replaces it`);
}

/** Adds the table of preview colours, which takes a graphics adapter: a slow, software one only on demand. */
async function withPreview(
  folder: string,
  result: ConvertResult,
  choice: 'on' | 'off' | undefined,
  signal: AbortSignal,
): Promise<ConvertResult> {
  const later =
    'pictures will be drawn without a live preview; convert with --preview on where there is a graphics adapter to add it';
  if (choice === 'off' || !result.manifest.components.imageDecoder) return result;
  const { openNodeGpu } = await import('../dawn');
  let gpu: Gpu;
  try {
    gpu = await openNodeGpu();
  } catch (error) {
    if (choice === 'on') throw error;
    return { ...result, notes: [...result.notes, `no graphics adapter: ${later}`] };
  }
  try {
    if (choice === undefined && gpu.adapter.software)
      return { ...result, notes: [...result.notes, `only a software adapter: ${later}`] };
    const { addPreview } = await import('../support/preview');
    return { ...result, manifest: await addPreview(gpu, folder, signal) };
  } finally {
    gpu.dispose();
  }
}

/** Runs `work` on a temporary folder beside the target and renames it at the end; whatever fails leaves nothing behind. */
async function intoFolder(target: string, work: (folder: string) => Promise<ConvertResult>): Promise<ConvertResult> {
  const folder = join(dirname(target), `.${basename(target)}.partial-${process.pid}`);
  const old = `${folder}-old`;
  // A second Ctrl-C ends the process at once: then this is all that still runs.
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(folder);
    const result = await work(folder);
    const replaced = existsSync(target);
    if (replaced) await rename(target, old);
    try {
      await rename(folder, target);
    } catch (error) {
      if (replaced) await rename(old, target);
      throw error;
    }
    if (replaced) await rm(old, { recursive: true, force: true });
    return result;
  } finally {
    remove();
    process.off('exit', remove);
  }
}
