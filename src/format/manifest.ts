/**
 * The web model: a folder with `rudolph.json` (this manifest) and shards. Any static host can serve it.
 *
 * Bytes: every component is one stream of tensors, each aligned to 256 bytes, in the order in which they are needed.
 * The stream is cut into shards of at most 16 MiB; a tensor may cross a shard's border. `shards[k].file` is named after
 * its SHA-256, so that models share what they have in common and a cached shard is never stale.
 *
 * Tensors: matrices are fp16, each row zero-padded to `rowStride` elements (a multiple of 8, i.e. 16 bytes); vectors
 * (biases, norms) are f32 without padding, because they cost nothing and rounding them would.
 */
export const FORMAT_VERSION = 1;
export const MANIFEST_FILE = 'rudolph.json';
export const SHARD_BYTES = 16 * 1024 * 1024;
/** Characters of a manifest; the largest model's has 100,000. */
export const MOST_MANIFEST = 32 * 1024 * 1024;
export const TENSOR_ALIGNMENT = 256;

export type ComponentName =
  'tokenizer' | 'transformer' | 'imageEncoder' | 'imageDecoder' | 'imageDecoderDwt' | 'preview';
export type DType = 'f16' | 'f32' | 'u32' | 'u8';
export type MaskKind = 'row' | 'column' | 'conv' | 'lastConv';

/** `standard` masks are arithmetic; `bitset` ones are kept as tensors `masks.<kind>` ([S, ceil(S/32)] u32, bit k of word w = key 32w+k). */
export interface MaskInfo {
  readonly form: 'standard' | 'bitset';
  /** false: the masks of 350M_v1, in which right text does not see left text. Meaningless for `bitset`. */
  readonly rightSeesLeft: boolean;
}

export interface ModelConfig {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly leftLength: number; // L
  readonly imageSide: number; // d; I = d·d
  readonly rightLength: number; // R
  /** All text classes V = BPE vocabulary + special tokens + L position pads. */
  readonly textVocabulary: number;
  readonly textSpecialTokens: number;
  /** All image classes IV, special ids included. */
  readonly imageVocabulary: number;
  readonly imageSpecialTokens: number;
  readonly convKernel: number;
  readonly lastConvKernel: number;
  /** Mask kind of every layer, first to last. */
  readonly layerMasks: readonly MaskKind[];
  readonly masks: MaskInfo;
}

/**
 * What sizes a model may claim, far above those of any RUDOLPH: work and memory that a manifest or a config file asks for before
 * the first weight is read stay small.
 */
export const LARGEST = {
  layers: 1000,
  hidden: 65536,
  heads: 1024,
  /** L + d² + R: a mask has this squared. */
  positions: 8192,
  kernel: 1024,
  vocabulary: 10_000_000,
  /** Of the image tokenizer. */
  levels: 16,
  multiplier: 1024,
  residualBlocks: 64,
  channels: 65536,
} as const;

/** Upstream's names without angle brackets → id, e.g. LT_T2I: 16386. null: the model has none (350M_v1). */
export type SpecialTokens = Readonly<Record<string, number>> | null;

export interface ImageTokenizerConfig {
  readonly channels: number; // ch, 128 upstream
  readonly multipliers: readonly number[]; // ch_mult, [1, 1, 2, 4] upstream
  readonly residualBlocks: number; // num_res_blocks, 2 upstream
  readonly zChannels: number;
  readonly embeddingSize: number; // embed_dim
  readonly codes: number; // n_embed, 8192 upstream
  /** Levels (0 = full size) with attention after their residual blocks; the sber model has it at the lowest only. */
  readonly attentionLevels: readonly number[];
  readonly imageChannels: number; // 3
}

export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements from one row to the next (row = everything behind the first dimension); only for 2-D and more. */
  readonly rowStride: number;
  readonly component: ComponentName;
  /** Byte offset in the component's stream. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface ShardEntry {
  readonly file: string;
  readonly byteLength: number;
  readonly sha256: string;
}

export interface Manifest {
  readonly formatVersion: number;
  readonly name: string;
  /** Sentence for people, per language; what the model knows. */
  readonly description?: Readonly<Record<string, string>>;
  /** Who made what is inside and under which licence (sprites, names, weights). */
  readonly attribution?: readonly {
    /** As it is called everywhere, or per language. */
    readonly what: string | Readonly<Record<string, string>>;
    readonly by: string;
    readonly licence: string;
    readonly url?: string;
  }[];
  /** Prompts that show the model at its best, for the page. */
  readonly examples?: readonly string[];
  readonly config: ModelConfig;
  readonly specialTokens: SpecialTokens;
  readonly imageTokenizer: ImageTokenizerConfig | null;
  readonly components: Partial<
    Record<ComponentName, { readonly byteLength: number; readonly shards: readonly ShardEntry[] }>
  >;
  readonly tensors: readonly TensorEntry[];
  readonly producer: string; // "rudolph-web 0.1.0"
}

/*
Tensor names.

transformer (in this order):
  text_embeddings [V, h] f16 · image_embeddings [IV, h] f16 · left_positions [L+1, h] f16 · right_positions [R+1, h] f16
  image_rows [d, h] f16 · image_columns [d, h] f16 · masks.row|column|conv|lastConv [S, ceil(S/32)] u32 (only form 'bitset')
  layers.<i>.norms [8, h] f32: gain and bias of input_layernorm, before_first_addition_layernorm,
      post_attention_layernorm, before_second_addition_layernorm (LN1, LN2, LN3, LN4 in the order of use)
  layers.<i>.qkv.weight [3h, h] f16, .qkv.bias [3h] f32 (rows: q, then k, then v)
  layers.<i>.attention_out.weight [h, h], .bias [h] · layers.<i>.mlp_in.weight [4h, h], .bias · layers.<i>.mlp_out.weight [h, 4h], .bias
  final.norms [4, h] f32: gain and bias of final_layernorm, then of to_logits.0
  text_logits.weight [V, h] f16, text_logits.bias [V] f32 · image_logits.weight [IV, h] f16, image_logits.bias [IV] f32
imageEncoder: upstream's keys encoder.*, quant_conv.*, quantize.proj.* — imageDecoder: quantize.embed.weight, post_quant_conv.*, decoder.*
  imageDecoderDwt: its own quantize.embed.weight, post_quant_conv.* (upstream's decoder.post_quant_conv.*), decoder.* .
  Convolution weights [out, in, ky, kx] are stored as [out, ky, kx, in] f16 (row = ky·kx·in elements: the K order of an implicit GEMM);
  1-D tensors f32. Names inside imageDecoderDwt are prefixed `dwt.` to stay unique.
tokenizer: one u8 tensor `bpe.model`, the file's bytes.
preview (where computed): quantize.mean_colours [codes, 3] u8, the mean RGB of each code's patch, for previews of unfinished pictures.
*/
