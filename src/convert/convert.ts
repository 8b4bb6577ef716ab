import { RudolphError } from '../errors';
import { sequenceLength } from '../format/geometry';
import { FORMAT_VERSION, MANIFEST_FILE, TENSOR_ALIGNMENT } from '../format/manifest';
import type {
  ComponentName,
  ImageTokenizerConfig,
  Manifest,
  ShardEntry,
  SpecialTokens,
  TensorEntry,
} from '../format/manifest';
import { parseManifest } from '../format/parseManifest';
import { ShardWriter, tensorByteLength } from '../format/shards';
import type { FileSink } from '../format/shards';
import { defaultSpecialTokens } from '../format/specialTokens';
import type { SpecialTokenSet } from '../format/specialTokens';
import { Tokenizer } from '../text/tokenizer';
import { openCheckpoint } from './checkpoint';
import type { Checkpoint, NamedSource } from './checkpoint';
import { bpeVocabulary, parseConfigFile, parseSpecialTokens, PRESETS, withMasks } from './config';
import type { ConfigFile, ModelSizes, PresetName } from './config';
import { checkImageTokenizer, deduceImageTokenizer, planImageTokenizer, planImageTokenizerDwt } from './imageTokenizer';
import { classifyMasks } from './masks';
import type { FoundMasks } from './masks';
import type { Metadata } from './metadata';
import { MASK_KEYS, matchTensors, planTransformer } from './plan';
import type { PlannedTensor } from './plan';
import { writeTensor } from './writeTensor';

/** The files of a model as upstream has them, and what they do not say themselves. */
export interface ConversionInput {
  readonly rudolph: NamedSource;
  /** The plain VQGAN. One of `vqgan` and `vqganDwt` is needed; encoding uses the plain one where there is one. */
  readonly vqgan?: NamedSource;
  readonly vqganDwt?: NamedSource;
  /** YouTokenToMe's `bpe.model`. */
  readonly tokenizer: NamedSource;
  /** Sizes: of a published model, or of a config file; with neither, those of the one preset whose shapes match. */
  readonly preset?: PresetName;
  readonly config?: { readonly label: string; readonly text: string };
  /** `base`, `fbc2`, or JSON of names and ids. By default the config file's, else what the preset knows. */
  readonly specialTokens?: SpecialTokenSet | { readonly label: string; readonly text: string };
  readonly metadata?: Metadata;
  readonly producer: string;
}

export interface ConversionOutput {
  readonly sink: FileSink;
  readonly onProgress?: (progress: ConvertProgress) => void;
  readonly signal?: AbortSignal;
}

export type ConvertOptions = ConversionInput & ConversionOutput;

export interface ConvertProgress {
  readonly component: ComponentName;
  readonly writtenBytes: number;
  readonly totalBytes: number;
}

export interface ConvertResult {
  readonly manifest: Manifest;
  /** Sentences about what was recognised or is unusual. */
  readonly notes: readonly string[];
}

/** Files that fit together, ready to be written as a web model. */
export interface Conversion {
  /** The web model's name. */
  readonly name: string;
  readonly preset: PresetName | null;
  /** Bytes of all its shards. */
  readonly byteLength: number;
  /** Sentences about what is unusual. */
  readonly notes: readonly string[];
  /**
   * Reads the weights and writes shard after shard, the manifest last.
   * @throws RudolphError `bad-checkpoint` for weights that are no numbers, or a file that ends too early; the signal's reason.
   */
  write(output: ConversionOutput): Promise<Manifest>;
}

/**
 * Turns upstream's checkpoints into a web model, written file by file to the sink; the manifest comes last. Everything
 * that can be checked without reading the weights is checked before the first shard is written.
 * @throws RudolphError `bad-checkpoint` or `bad-input` in one sentence.
 */
export async function convertModel(options: ConvertOptions): Promise<ConvertResult> {
  const conversion = await prepareConversion(options);
  const manifest = await conversion.write(options);
  const { preset, notes } = conversion;
  return { manifest, notes: preset ? [`sizes of ${preset}`, ...notes] : notes };
}

/**
 * Opens upstream's files and checks everything that can be checked without reading the weights: what is missing, surplus or
 * of another model. Nothing is written yet.
 * @throws RudolphError `bad-checkpoint` or `bad-input` in one sentence.
 */
export async function prepareConversion(options: ConversionInput): Promise<Conversion> {
  const notes: string[] = [];
  const rudolph = await openCheckpoint(options.rudolph);
  const file = options.config ? parseConfigFile(options.config.text, options.config.label) : null;
  const { sizes, preset } = chooseSizes(rudolph, options, file);
  const plan = planTransformer(sizes);
  const keys = matchTensors(
    rudolph,
    plan.expected,
    transformerKey,
    preset ?? options.config?.label ?? 'the config',
    MASK_NAMES,
  );
  const masks = await classifyMasks(rudolph, keys, sizes);
  if (masks.note) notes.push(masks.note);
  const config = withMasks(sizes, masks.info);

  if (options.tokenizer.source.byteLength > MOST_TOKENIZER) {
    throw new RudolphError(
      'bad-checkpoint',
      `${options.tokenizer.label} has ${options.tokenizer.source.byteLength} bytes: it is no bpe.model of YouTokenToMe`,
    );
  }
  const tokenizerBytes = new Uint8Array(await options.tokenizer.source.slice(0, options.tokenizer.source.byteLength));
  checkTokenizer(tokenizerBytes, sizes, options.tokenizer.label);
  const specialTokens = chooseSpecialTokens(options, sizes, file, preset);
  const image = await openImageTokenizers(options, file, sizes);
  const planned = [...plan.before, ...plan.after, ...image.planned];
  const name = options.metadata?.name ?? (preset ? `RUDOLPH ${preset}` : 'RUDOLPH');

  const write = async (output: ConversionOutput): Promise<Manifest> => {
    const writing = new ModelWriter(output, planned);
    await writing.component('tokenizer', async (writer) => {
      await writer.begin('bpe.model', 'u8', [tokenizerBytes.length]);
      await writer.append(tokenizerBytes);
    });
    await writing.component('transformer', async (writer) => {
      await writing.tensors(writer, plan.before, rudolph, keys);
      await writeMasks(writer, masks, sequenceLength(sizes));
      await writing.tensors(writer, plan.after, rudolph, keys);
    });
    for (const { name: part, planned: tensors, checkpoint, keys: from } of image.components) {
      await writing.component(part, (writer) => writing.tensors(writer, tensors, checkpoint, from));
    }
    const manifest: Manifest = {
      formatVersion: FORMAT_VERSION,
      name,
      ...options.metadata,
      config,
      specialTokens,
      imageTokenizer: image.config,
      components: writing.components,
      tensors: writing.index,
      producer: options.producer,
    };
    const text = `${JSON.stringify(manifest)}\n`;
    parseManifest(text, MANIFEST_FILE); // what the reader would refuse is not written
    await output.sink.write(MANIFEST_FILE, new TextEncoder().encode(text));
    return manifest;
  };
  const sums = [
    tokenizerBytes.length,
    ...planned.map(({ dtype, shape }) => tensorByteLength(dtype, shape)),
    ...Object.values(masks.bitsets ?? {}).map(({ byteLength }) => byteLength),
  ];
  const byteLength = sums.reduce((sum, bytes) => sum + Math.ceil(bytes / TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT, 0);
  return { name, preset, byteLength, notes, write };
}

/** Bytes; upstream's has 400,000. */
const MOST_TOKENIZER = 16 * 1024 * 1024;

const MASK_NAMES: ReadonlySet<string> = new Set(Object.values(MASK_KEYS));

/** Keys without Lightning's and DataParallel's prefixes; `vae.*` (the image tokenizer) and `loss.*` are skipped. */
export function transformerKey(key: string): string | null {
  const name = key.replace(/^(?:model\.|module\.)+/, '');
  return name.startsWith('vae.') || name.startsWith('loss.') ? null : name;
}

function chooseSizes(
  checkpoint: Checkpoint,
  { preset, specialTokens }: Pick<ConversionInput, 'preset' | 'specialTokens'>,
  file: ConfigFile | null,
): { sizes: ModelSizes; preset: PresetName | null } {
  if (file) return { sizes: file.model, preset: null };
  if (preset) return { sizes: PRESETS[preset], preset };
  const found = new Map<string, string>();
  for (const [key, { shape }] of checkpoint.tensors) {
    const name = transformerKey(key);
    if (name !== null) found.set(name, shape.join());
  }
  // The same number of layers and the same embeddings make a candidate; `matchTensors` then says what else is wrong with it.
  let layers = 0;
  for (const key of found.keys())
    layers = Math.max(layers, 1 + Number(/^transformer\.layers\.(\d+)\./.exec(key)?.[1] ?? -1));
  const tables = planTransformer({ ...PRESETS['350M'], layers: 0 }).before.map(({ parts }) => parts[0]!.key);
  for (const [name, sizes] of Object.entries(PRESETS) as [PresetName, ModelSizes][]) {
    const shapes = new Map(planTransformer(sizes).expected.map(({ key, shape }) => [key, shape.join()]));
    if (
      sizes.layers === layers &&
      tables.every((key) => !found.has(key) || found.get(key) === shapes.get(key)) &&
      tables.some((key) => found.has(key))
    ) {
      // 2.7B and FBC2 have the same shapes: what sets them apart are the special tokens.
      return { sizes, preset: name === '2.7B' && specialTokens === 'fbc2' ? '2.7B_fbc2' : name };
    }
  }
  if (layers === 0) {
    const some = [...checkpoint.tensors.keys()].slice(0, 3).join(', ');
    throw new RudolphError(
      'bad-checkpoint',
      `${checkpoint.label} is no RUDOLPH: it has no transformer.layers.* (its tensors: ${some} …)`,
    );
  }
  // Nothing is wrong with the file: it wants another one beside it.
  throw new RudolphError(
    'bad-input',
    `${checkpoint.label} (${layers} layers, text embeddings [${found.get('text_embeddings.weight') ?? '?'}]) has the shapes of no preset; give its sizes in a config file (--config)`,
    { layers, missing: ['config'] },
  );
}

function chooseSpecialTokens(
  options: ConversionInput,
  sizes: ModelSizes,
  file: ConfigFile | null,
  preset: PresetName | null,
): SpecialTokens {
  const first = bpeVocabulary(sizes);
  const given = options.specialTokens;
  if (typeof given === 'object') {
    let json: unknown;
    try {
      json = JSON.parse(given.text);
    } catch {
      throw new RudolphError('bad-input', `${given.label}: is not JSON`);
    }
    return parseSpecialTokens(json, first + sizes.textSpecialTokens, given.label);
  }
  if (given === undefined && file?.specialTokens) return file.specialTokens;
  if (given === 'fbc2' && sizes.textSpecialTokens < 17) {
    throw new RudolphError(
      'bad-input',
      `--special-tokens fbc2 needs 17 special ids, the model has ${sizes.textSpecialTokens}`,
    );
  }
  return defaultSpecialTokens(given ?? (preset === '2.7B_fbc2' ? 'fbc2' : 'base'), first, sizes.textSpecialTokens);
}

function checkTokenizer(bytes: Uint8Array, sizes: ModelSizes, label: string): void {
  const { vocabularySize } = Tokenizer.parse(bytes, label);
  const expected = bpeVocabulary(sizes);
  if (vocabularySize !== expected) {
    throw new RudolphError(
      'bad-checkpoint',
      `${label} has ${vocabularySize} ids, the model knows ${expected}: it belongs to another model`,
      { vocabularySize, expected },
    );
  }
}

interface ImageTokenizers {
  readonly config: ImageTokenizerConfig;
  readonly planned: readonly PlannedTensor[];
  readonly components: readonly {
    name: ComponentName;
    planned: readonly PlannedTensor[];
    checkpoint: Checkpoint;
    keys: ReadonlyMap<string, string>;
  }[];
}

async function openImageTokenizers(
  options: ConversionInput,
  file: ConfigFile | null,
  sizes: ModelSizes,
): Promise<ImageTokenizers> {
  const plain = options.vqgan ? await openCheckpoint(options.vqgan) : null;
  const dwt = options.vqganDwt ? await openCheckpoint(options.vqganDwt) : null;
  const first = plain ?? dwt;
  if (!first)
    throw new RudolphError('bad-input', 'an image tokenizer is needed: give --vqgan, or --vqgan-dwt, or both');
  const config = deduceImageTokenizer(first);
  if (file?.vqgan) checkImageTokenizer(config, file.vqgan, options.config!.label);
  const codes = sizes.imageVocabulary - sizes.imageSpecialTokens;
  if (config.codes !== codes) {
    throw new RudolphError(
      'bad-checkpoint',
      `${first.label} has ${config.codes} codes, the model draws ${codes}: they do not belong together`,
      { codes: config.codes, expected: codes },
    );
  }
  if (dwt && JSON.stringify(deduceImageTokenizer(dwt)) !== JSON.stringify(config)) {
    throw new RudolphError(
      'bad-checkpoint',
      `${dwt.label} and ${first.label} differ in their sizes: they do not belong together`,
    );
  }
  const components: ImageTokenizers['components'][number][] = [];
  if (plain) {
    const { keys, encoder, decoder } = planImageTokenizer(plain, config);
    components.push({ name: 'imageEncoder', planned: encoder, checkpoint: plain, keys });
    components.push({ name: 'imageDecoder', planned: decoder, checkpoint: plain, keys });
  }
  if (dwt) {
    const { keys, encoder, decoder } = planImageTokenizerDwt(dwt, config);
    if (!plain) components.push({ name: 'imageEncoder', planned: encoder, checkpoint: dwt, keys });
    components.push({ name: 'imageDecoderDwt', planned: decoder, checkpoint: dwt, keys });
  }
  return { config, planned: components.flatMap(({ planned }) => planned), components };
}

async function writeMasks(writer: ShardWriter, masks: FoundMasks, length: number): Promise<void> {
  if (!masks.bitsets) return;
  for (const [kind, bits] of Object.entries(masks.bitsets)) {
    await writer.begin(`masks.${kind}`, 'u32', [length, bits.length / length]);
    await writer.append(bits);
  }
}

/** Writes component after component and gathers what the manifest says about them. */
class ModelWriter {
  readonly components: Partial<Record<ComponentName, { byteLength: number; shards: readonly ShardEntry[] }>> = {};
  readonly index: TensorEntry[] = [];
  readonly #options: ConversionOutput;
  readonly #totalBytes: number;
  #writtenBytes = 0;

  constructor(options: ConversionOutput, planned: readonly PlannedTensor[]) {
    this.#options = options;
    this.#totalBytes = planned.reduce((sum, { dtype, shape }) => sum + tensorByteLength(dtype, shape), 0);
  }

  async component(name: ComponentName, write: (writer: ShardWriter) => Promise<void>): Promise<void> {
    const writer = new ShardWriter(name, this.#options.sink);
    await write(writer);
    await writer.finish();
    this.components[name] = { byteLength: writer.byteLength, shards: writer.shards };
    this.index.push(...writer.tensors);
  }

  async tensors(
    writer: ShardWriter,
    planned: readonly PlannedTensor[],
    checkpoint: Checkpoint,
    keys: ReadonlyMap<string, string>,
  ): Promise<void> {
    const { signal, onProgress } = this.#options;
    for (const tensor of planned) {
      signal?.throwIfAborted();
      await writeTensor(writer, tensor, checkpoint, keys, signal);
      this.#writtenBytes += tensorByteLength(tensor.dtype, tensor.shape);
      onProgress?.({ component: tensor.component, writtenBytes: this.#writtenBytes, totalBytes: this.#totalBytes });
    }
  }
}
