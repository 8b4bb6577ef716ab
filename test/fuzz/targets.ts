import { crc32 } from 'node:zlib';
import { decodeImage } from '../../cli/support/images';
import { openCheckpoint } from '../../src/convert/checkpoint';
import { parseConfigFile, parseSpecialTokens } from '../../src/convert/config';
import { checkImageTokenizer } from '../../src/convert/imageTokenizer';
import { parseMetadata } from '../../src/convert/metadata';
import { planTransformer } from '../../src/convert/plan';
import { readFloats } from '../../src/convert/tensors';
import { inspectFiles } from '../../src/files/openFiles';
import { memorySource } from '../../src/format/byteSource';
import { MANIFEST_FILE } from '../../src/format/manifest';
import type { ModelFile } from '../../src/format/modelFile';
import { parseManifest } from '../../src/format/parseManifest';
import { readComponent } from '../../src/format/readComponent';
import type { RgbaImage } from '../../src/image/image';
import { preprocess } from '../../src/image/preprocess';
import { buildPrompt } from '../../src/text/prompt';
import { Tokenizer } from '../../src/text/tokenizer';
import { checkPicture, underMask } from '../../src/tasks/pictures';
import { type FakeTensor, torchZip, zip } from '../support/torchFiles';
import { mutateBytes } from './bytes';
import {
  CONFIG,
  convert,
  type Corpus,
  loadCorpus,
  METADATA,
  type State,
  transformerState,
  VQGAN,
  vqganState,
} from './corpus';
import type { Dice } from './dice';
import { mutateJson } from './json';
import { randomPickle } from './pickles';

/** Something that reads foreign bytes. */
export interface Target {
  readonly name: string;
  /** Of how many inputs this target gets its part. */
  readonly weight: number;
  /** Makes an input by the dice and reads it. Resolves, or rejects with a RudolphError: everything else is a defect. */
  readonly run: (dice: Dice) => Promise<void>;
}

const encoder = new TextEncoder();
/** No tensor of a small file is worth more. */
const MOST_ELEMENTS = 1e6;

/** Everything in the project that reads foreign bytes. */
export async function fuzzTargets(): Promise<readonly Target[]> {
  const corpus = await loadCorpus();
  const all = [...corpus.zips, ...corpus.legacies, ...corpus.safetensors, ...corpus.tokenizers];
  return [
    {
      name: 'torch-zip',
      weight: 25,
      run: (dice) => readCheckpoint(mutateBytes(dice, dice.pick(corpus.zips), all)),
    },
    {
      name: 'torch-legacy',
      weight: 15,
      run: (dice) => readCheckpoint(mutateBytes(dice, dice.pick(corpus.legacies), all, 15)),
    },
    {
      name: 'pickle',
      weight: 20,
      run: (dice) =>
        readCheckpoint(
          zip([
            ['a/data.pkl', randomPickle(dice)],
            ['a/data/0', new Uint8Array(24)],
          ]),
        ),
    },
    { name: 'zip-bombs', weight: 0.3, run: (dice) => readBomb(dice, all) },
    { name: 'safetensors', weight: 10, run: (dice) => readCheckpoint(mutatedSafetensors(dice, corpus)) },
    { name: 'manifest', weight: 10, run: (dice) => readManifest(mutateJson(dice, corpus.manifest), corpus) },
    { name: 'settings', weight: 5, run: async (dice) => readSettings(dice) },
    { name: 'tokenizer', weight: 8, run: async (dice) => readTokenizer(mutatedTokenizer(dice, corpus)) },
    { name: 'conversion', weight: 0.3, run: (dice) => convertMutated(dice, corpus) },
    { name: 'files', weight: 2, run: (dice) => readFiles(dice, corpus) },
    {
      name: 'pictures',
      weight: 3,
      run: (dice) => readPicture(dice, corpus),
    },
    { name: 'pixels', weight: 1, run: async (dice) => readPixels(dice) },
  ];
}

async function readCheckpoint(bytes: Uint8Array): Promise<void> {
  const { tensors } = await openCheckpoint({ label: 'x.bin', source: memorySource(bytes) });
  for (const tensor of [...tensors.values()].slice(0, 20)) {
    if (tensor.shape.reduce((product, n) => product * n, 1) > MOST_ELEMENTS) continue;
    await readFloats(tensor, 0, tensor.shape.length < 2 ? 1 : Math.min(1, tensor.shape[0]!));
  }
}

/** Zips that unfold to a thousand times their length, up to 1 MiB: in a tensor, in the pickle, or under a name like a path elsewhere. */
function bomb(dice: Dice): Uint8Array {
  const data = new Uint8Array(4 * 2 ** dice.below(19)).fill(dice.pick([0, 0x7d, 0x28, 0x32]));
  const zip64 = dice.once(2);
  if (dice.once(2)) {
    const shape = [data.length / 4];
    return torchZip(new Map([['w', { dtype: 'f32', shape, data }]]), { deflate: true, zip64 });
  }
  const names = ['a/data.pkl', `a/data/${dice.pick(PATHS)}`, dice.pick(PATHS)];
  return zip(
    names.map((name) => [name, data]),
    { deflate: true, zip64 },
  );
}

/** Half of them as they are. */
function readBomb(dice: Dice, foreign: readonly Uint8Array[]): Promise<void> {
  const bytes = bomb(dice);
  return readCheckpoint(dice.once(2) ? bytes : mutateBytes(dice, bytes, foreign));
}

/** Half of them with a header that is still JSON of the announced length. */
function mutatedSafetensors(dice: Dice, { safetensors, zips }: Corpus): Uint8Array {
  const file = dice.pick(safetensors);
  if (dice.once(2)) return mutateBytes(dice, file, [...safetensors, ...zips]);
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as unknown;
  const text = encoder.encode(mutateJson(dice, header));
  const result = new Uint8Array(8 + text.length + file.length - 8 - length);
  new DataView(result.buffer).setBigUint64(0, BigInt(text.length), true);
  result.set(text, 8);
  return result;
}

async function readManifest(text: string, { model }: Corpus): Promise<void> {
  const folder = 'https://host.example/models/micro/';
  const manifest = parseManifest(text, `${folder}${MANIFEST_FILE}`);
  for (const { shards } of Object.values(manifest.components)) {
    for (const { file } of shards) {
      const { href } = new URL(file, `${folder}${MANIFEST_FILE}`);
      if (href !== folder + file || file.includes('/')) throw new Error(`the shard ${file} is fetched from ${href}`);
    }
  }
  for (const { url } of manifest.attribution ?? []) {
    if (url !== undefined && URL.canParse(url) && !/^https?:$/.test(new URL(url).protocol))
      throw new Error(`a link to ${url}`);
  }
  const source = {
    manifest,
    // As every source does it, of the announced length.
    shard: async ({ file, byteLength }: { file: string; byteLength: number }) => {
      const bytes = model.get(file);
      return bytes?.byteLength === byteLength ? bytes.buffer : new ArrayBuffer(byteLength);
    },
  };
  readTokenizer(await readComponent(source, 'tokenizer'));
}

function readSettings(dice: Dice): void {
  const kind = dice.below(3);
  if (kind === 0) {
    const { model, vqgan } = parseConfigFile(mutateJson(dice, CONFIG), 'config.json');
    planTransformer(model);
    if (vqgan) checkImageTokenizer(VQGAN, vqgan, 'config.json');
  } else if (kind === 1) parseMetadata({ label: 'metadata.json', text: mutateJson(dice, METADATA) });
  else {
    let json: unknown;
    try {
      json = JSON.parse(mutateJson(dice, CONFIG.special_tokens));
    } catch {
      return; // its reader says so
    }
    parseSpecialTokens(json, 100, 'tokens.json');
  }
}

/** Changed as bytes, or line by line. */
function mutatedTokenizer(dice: Dice, { tokenizers, zips }: Corpus): Uint8Array {
  const file = dice.pick(tokenizers);
  if (dice.once(2)) return mutateBytes(dice, file, [...tokenizers, ...zips]);
  const lines = new TextDecoder().decode(file).split('\n');
  const some = () => dice.below(lines.length);
  for (let change = 1 + dice.skewed(20); change > 0; change--) {
    const words = lines[some()]!.split(' ');
    words[dice.below(words.length)] = String(
      dice.pick([-1, 0, 1, 2, 3, some(), 1114111, 1114112, 55296, 2 ** 31, 9999999999]),
    );
    lines[some()] = words.join(' ');
    if (dice.once(4) && lines.length > 1) lines.splice(some(), 1);
    if (dice.once(4)) lines.splice(some(), 0, lines[some()]!);
  }
  if (dice.once(8)) {
    // Every rule doubles the piece of the one before.
    const rules = 1 + dice.below(60);
    const doubling = Array.from({ length: rules }, (_, k) => `${4 + k} ${4 + k} ${5 + k}`);
    return encoder.encode([`1 ${rules}`, '9601 4', ...doubling, '1 0 2 3', ''].join('\n'));
  }
  return encoder.encode(lines.join('\n'));
}

function readTokenizer(bytes: Uint8Array): void {
  const tokenizer = Tokenizer.parse(bytes);
  const { ids } = buildPrompt(tokenizer, 'Красный кот — ok', { special: null, length: 16 });
  const wrong = ids.find((id) => !(id >= 0 && id < tokenizer.vocabularySize));
  if (wrong !== undefined) throw new Error(`a prompt has the id ${wrong}, which is none`);
  tokenizer.decode(ids);
}

/** A state dict with changed tensors, or changed files around a good one. */
async function convertMutated(dice: Dice, corpus: Corpus): Promise<void> {
  const state = dice.once(2);
  await convert({
    rudolph: state && dice.once(2) ? torchZip(changed(dice, transformerState())) : corpus.rudolph,
    vqgan: state ? torchZip(changed(dice, vqganState())) : corpus.vqgan,
    ...(dice.once(4) ? { tokenizer: mutatedTokenizer(dice, corpus) } : {}),
    ...(dice.once(4) ? { config: mutateJson(dice, CONFIG) } : {}),
  });
}

function changed(dice: Dice, state: State): State {
  const keys = [...state.keys()];
  for (let change = dice.skewed(3); change > 0; change--) {
    const key = dice.pick(keys);
    const tensor = state.get(key) as FakeTensor | undefined;
    if (!tensor) continue;
    const size = () => dice.pick([0, 1, 2, 31, 32, 64, 96, 4096, 2 ** 20, 2 ** 40, 1e15]);
    switch (dice.below(6)) {
      case 0:
        state.set(key, {
          ...tensor,
          shape: tensor.shape.map((n) => (dice.once(2) ? size() : n)),
          strides: tensor.shape.map(() => 0),
        });
        break;
      case 1:
        state.set(key, { ...tensor, dtype: dice.pick(['f64', 'f32', 'bf16', 'i64', 'u8', 'bool']) });
        break;
      case 2:
        state.set(key, { ...tensor, strides: tensor.shape.map(size), offset: size() });
        break;
      case 3:
        state.set(key, { ...tensor, data: new Uint8Array(tensor.data.length).fill(dice.below(256)) });
        break;
      case 4:
        state.delete(key);
        break;
      default:
        state.set(
          dice.pick([`module.${key}`, key.replace(/\d+/, () => String(size())), `model.model.${key}`, '__proto__']),
          tensor,
        );
    }
  }
  return state;
}

const PATHS = [
  'rudolph.json',
  '../rudolph.json',
  '/etc/passwd',
  'C:\\model\\rudolph.json',
  'a/../../b',
  '__proto__',
  'm/\u202ename',
  '.',
  '',
  'a/b/c.bin',
];

/** Files as somebody drops them on a page, some changed, some under odd names. `inspectFiles` reports and never rejects. */
async function readFiles(dice: Dice, corpus: Corpus): Promise<void> {
  const whole: [string, Uint8Array | string][] = dice.once(2)
    ? [
        ...corpus.model,
        [MANIFEST_FILE, dice.once(2) ? JSON.stringify(corpus.manifest) : mutateJson(dice, corpus.manifest)],
      ]
    : [
        ['pytorch_model.bin', corpus.rudolph],
        ['vqgan.ckpt', corpus.vqgan],
        ['bpe.model', corpus.tokenizers[0]!],
        ['config.json', JSON.stringify(CONFIG)],
        ['metadata.json', mutateJson(dice, METADATA)],
        ['tokens.json', mutateJson(dice, CONFIG.special_tokens)],
      ];
  const files: ModelFile[] = whole
    .filter(() => !dice.once(12))
    .map(([name, content]) => {
      const bytes = typeof content === 'string' ? encoder.encode(content) : content;
      const path = dice.once(10) ? dice.pick(PATHS) : `m/${name}`;
      return { path, file: new Blob([dice.once(6) ? mutateBytes(dice, bytes, corpus.zips).slice() : bytes.slice()]) };
    });
  const { problem } = await inspectFiles(files, {}, 'fuzz', null);
  if (problem && problem.code === null) throw new Error(`an error without a code: ${problem.message}`);
}

/** Of the PNGs half with checksums that are right again: else nothing behind the first changed byte is looked at. */
async function readPicture(dice: Dice, { pictures }: Corpus): Promise<void> {
  const bytes = mutateBytes(dice, dice.pick(pictures), pictures);
  if (dice.once(2)) repairPng(bytes);
  const image = await decodeImage(bytes, 'x.png');
  if (image.width * image.height <= MOST_ELEMENTS) preprocess(image, 32);
}

function repairPng(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
}

/** Pixels whose sides lie. */
function readPixels(dice: Dice): void {
  const side = () => dice.pick([0, 1, 2, 3, 7, 16, 1.5, 0.25, -4, NaN, Infinity, 2 ** 31, 1e300, '4', null, undefined]);
  const [width, height] = [side(), side()] as [number, number];
  const length = dice.once(3) ? dice.skewed(4096) : Math.min(4096, Math.abs(width * height * 4) || 4);
  const image: RgbaImage = { width, height, data: new Uint8ClampedArray(length) };
  const config = { ...CONFIG_OF_PICTURES };
  checkPicture(config, image, 'the picture');
  preprocess(image, 16);
  const mask: RgbaImage = { width: side() as number, height, data: new Uint8ClampedArray(length) };
  underMask(config, mask, image);
}

const CONFIG_OF_PICTURES = parseManifestConfig();

function parseManifestConfig(): Parameters<typeof checkPicture>[0] {
  const { model } = parseConfigFile(JSON.stringify(CONFIG), 'config.json');
  return { ...model, layerMasks: ['row'], masks: { form: 'standard', rightSeesLeft: true } };
}
