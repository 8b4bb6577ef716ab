import { RudolphError } from '../errors';
import { layerMaskKinds, sequenceLength } from '../format/geometry';
import { LARGEST } from '../format/manifest';
import type { MaskInfo, ModelConfig } from '../format/manifest';
import { shown } from '../format/shown';

/** The sizes of a RUDOLPH before its checkpoint is looked at: everything of `ModelConfig` but the kind of masks. */
export type ModelSizes = Omit<ModelConfig, 'masks' | 'layerMasks'>;

/** Upstream's published models. `textVocabulary` = 16384 BPE ids + special ids + L pads; `imageVocabulary` = 8192 codes + special ids. */
export const PRESETS = {
  '350M_v1': sizes(24, 1024, 16, [64, 16, 64], 0, 0, [7, 9]),
  '350M': sizes(24, 1024, 16, [64, 16, 64], 384, 384, [7, 9]),
  '1.3B': sizes(24, 2048, 16, [128, 32, 128], 2048, 64, [9, 11]),
  '2.7B': sizes(32, 2560, 32, [384, 24, 128], 1024, 1024, [7, 9]),
  // The same shapes as 2.7B; it knows more special tokens.
  '2.7B_fbc2': sizes(32, 2560, 32, [384, 24, 128], 1024, 1024, [7, 9]),
} as const satisfies Record<string, ModelSizes>;

export type PresetName = keyof typeof PRESETS;

function sizes(
  layers: number,
  hidden: number,
  heads: number,
  [leftLength, imageSide, rightLength]: readonly [number, number, number],
  textSpecialTokens: number,
  imageSpecialTokens: number,
  [convKernel, lastConvKernel]: readonly [number, number],
): ModelSizes {
  return {
    layers,
    hidden,
    heads,
    leftLength,
    imageSide,
    rightLength,
    textVocabulary: 16384 + textSpecialTokens + leftLength,
    textSpecialTokens,
    imageVocabulary: 8192 + imageSpecialTokens,
    imageSpecialTokens,
    convKernel,
    lastConvKernel,
  };
}

/** E: BPE ids, which come first among the text ids; then the special ones, then L position pads. */
export function bpeVocabulary(
  config: Pick<ModelConfig, 'textVocabulary' | 'leftLength' | 'textSpecialTokens'>,
): number {
  return config.textVocabulary - config.leftLength - config.textSpecialTokens;
}

export function withMasks(model: ModelSizes, masks: MaskInfo): ModelConfig {
  return { ...model, layerMasks: layerMaskKinds(model.layers), masks };
}

/** Special tokens of a vocabulary. */
const MOST_SPECIAL = 1_000_000;

/** What a config file may say. */
export interface ConfigFile {
  readonly model: ModelSizes;
  /** Upstream's ddconfig with `n_embed` and `embed_dim`, to be compared with the image tokenizer's file. */
  readonly vqgan: Readonly<Record<string, unknown>> | null;
  /** Names without angle brackets → ids, where the file gives them. */
  readonly specialTokens: Readonly<Record<string, number>> | null;
}

/**
 * Reads a config file: `{ rudolph: {…}, vqgan?: {…}, special_tokens?: {…} }`, or upstream's constructor parameters alone.
 * NB upstream's `vocab_size` counts the BPE ids and the L pads, `text_special_tokens` come on top.
 * @throws RudolphError `bad-input` naming the field.
 */
export function parseConfigFile(text: string, label: string): ConfigFile {
  const fail = (what: string): never => {
    throw new RudolphError('bad-input', `${label}: ${what}`, { file: label });
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    fail('is not JSON');
  }
  if (!isObject(json)) return fail('is not a JSON object');
  const rudolph: unknown = json['rudolph'] ?? json;
  if (!isObject(rudolph)) return fail('`rudolph` is not an object');
  const number = (key: string, least: number, most: number, byDefault?: number): number => {
    const value = rudolph[key] ?? byDefault;
    if (value === undefined) return fail(`${key} is missing`);
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      fail(`${key} is ${shown(value)}, expected a whole number from ${least} to ${most}`);
    }
    return value as number;
  };
  const { positions, vocabulary, kernel } = LARGEST;
  const leftLength = number('l_text_seq_length', 1, positions);
  const textSpecialTokens = number('text_special_tokens', 0, MOST_SPECIAL, 0);
  const imageSpecialTokens = number('image_special_tokens', 0, MOST_SPECIAL, 0);
  const model: ModelSizes = {
    layers: number('num_layers', 1, LARGEST.layers),
    hidden: number('hidden_size', 1, LARGEST.hidden),
    heads: number('num_attention_heads', 1, LARGEST.heads),
    leftLength,
    imageSide: number('image_tokens_per_dim', 1, positions),
    rightLength: number('r_text_seq_length', 1, positions),
    textVocabulary: number('vocab_size', leftLength + 4, vocabulary - MOST_SPECIAL) + textSpecialTokens,
    textSpecialTokens,
    imageVocabulary: number('image_vocab_size', 1, vocabulary - MOST_SPECIAL) + imageSpecialTokens,
    imageSpecialTokens,
    convKernel: number('kernel_size', 1, kernel),
    lastConvKernel: number('last_kernel_size', 1, kernel),
  };
  if (sequenceLength(model) > positions) fail(`${sequenceLength(model)} positions, at most ${positions} are possible`);
  if (model.hidden % model.heads !== 0) fail(`${model.heads} heads do not divide a hidden size of ${model.hidden}`);
  if (rudolph['cogview_sandwich_layernorm'] === false)
    fail('cogview_sandwich_layernorm is false; only models with it are supported');
  if (rudolph['cogview_layernorm_prescale'] === true)
    fail('cogview_layernorm_prescale is true; only models without it are supported');
  const vqgan = json['vqgan'] ?? null;
  if (vqgan !== null && !isObject(vqgan)) return fail('`vqgan` is not an object');
  const special = json['special_tokens'] ?? null;
  const limit = model.textVocabulary - leftLength;
  return { model, vqgan, specialTokens: special === null ? null : parseSpecialTokens(special, limit, label) };
}

/**
 * Special tokens as JSON: `{"LT_UNK": 16384, "<RT_UNK>": 16385, …}`, with or without angle brackets.
 * @param limit the first id that is none (the position pads begin there).
 * @throws RudolphError `bad-input` naming the entry.
 */
export function parseSpecialTokens(json: unknown, limit: number, label: string): Readonly<Record<string, number>> {
  const fail = (what: string): never => {
    throw new RudolphError('bad-input', `${label}: ${what}`, { file: label });
  };
  if (!isObject(json)) return fail('the special tokens are not an object of names and ids');
  const tokens: Record<string, number> = {};
  for (const [key, id] of Object.entries(json)) {
    const name = key.replace(/^<(.*)>$/, '$1');
    if (!/^[A-Z][A-Z0-9_]{0,31}$/.test(name))
      fail(`${shown(key)} is no name of a special token (expected e.g. LT_T2I)`);
    if (!Number.isSafeInteger(id) || (id as number) < 0 || (id as number) >= limit) {
      fail(`the special token ${name} has the id ${shown(id)}, expected 0 to ${limit - 1}`);
    }
    tokens[name] = id as number;
  }
  return tokens;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
