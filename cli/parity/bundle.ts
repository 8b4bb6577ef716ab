import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RudolphError } from '../../src/errors';
import { memorySource } from '../../src/format/byteSource';
import { readSafetensorsIndex, SAFETENSORS_BYTES } from '../../src/format/safetensors';

export interface GreedyCase {
  readonly task: string;
  readonly text?: string;
  readonly image?: string;
  readonly template?: string;
  readonly special_token?: string | null;
  readonly l_special_token?: string | null;
  readonly r_special_token?: string | null;
  readonly codebook?: string;
  readonly texts?: readonly string[];
  readonly borders?: { readonly up: number; readonly right: number; readonly down: number; readonly left: number };
  readonly prompt_tokens?: string;
  readonly result?: readonly { readonly text: string; readonly ppl_txt: number }[];
}

/** What a ranking gives, one of each a candidate. */
export interface Perplexities {
  readonly ppl_txt: readonly number[];
  readonly ppl_img: readonly number[];
  readonly scores: readonly number[];
}

export interface RankImagesCase extends Perplexities {
  readonly text: string;
  readonly codebooks: string;
}

export interface RankTextsCase extends Perplexities {
  readonly texts: readonly string[];
  readonly image: string;
}

export interface ZeroShotCase {
  readonly image: string;
  readonly classes: readonly string[];
  readonly r_template?: string;
  readonly l_template?: string;
  readonly label: number;
  readonly class: string;
  readonly scores: readonly number[];
}

export interface FilterCase {
  readonly top_k: number;
  readonly top_p: number;
  readonly temperature: number;
  readonly logits: string;
  readonly probs: string;
}

export interface Cases {
  readonly special_tokens: Readonly<Record<string, number>> | null;
  readonly greedy?: readonly GreedyCase[];
  readonly filter?: readonly FilterCase[];
  readonly rank_images_by_text?: RankImagesCase;
  readonly rank_texts_by_image?: RankTextsCase;
  readonly zero_shot?: ZeroShotCase;
}

export interface TokenizerCases {
  readonly vocab?: readonly string[];
  readonly encode: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly subwords?: readonly { readonly text: string; readonly pieces: readonly string[] }[];
  readonly decode: readonly {
    readonly ids: readonly number[];
    readonly ignore_ids: readonly number[] | null;
    readonly text: string;
  }[];
}

export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** A folder with upstream's own numbers on a small random model: checkpoints, cases and the tensors that they name. */
export class Bundle {
  readonly folder: string;
  readonly cases: Cases;
  readonly tokenizerCases: TokenizerCases;
  readonly tensors: ReadonlyMap<string, ReferenceTensor>;

  private constructor(
    folder: string,
    cases: Cases,
    tokenizerCases: TokenizerCases,
    tensors: ReadonlyMap<string, ReferenceTensor>,
  ) {
    this.folder = folder;
    this.cases = cases;
    this.tokenizerCases = tokenizerCases;
    this.tensors = tensors;
  }

  static async open(folder: string): Promise<Bundle> {
    for (const file of [
      'config.json',
      'pytorch_model.bin',
      'bpe.model',
      'cases.json',
      'cases.safetensors',
      'tokenizer_cases.json',
    ]) {
      if (!existsSync(join(folder, file)))
        throw new RudolphError('bad-input', `${folder} is no reference bundle: it has no ${file}`);
    }
    const json = async (file: string): Promise<unknown> =>
      JSON.parse(await readFile(join(folder, file), 'utf8')) as unknown;
    const tensors = await readTensors(join(folder, 'cases.safetensors'));
    return new Bundle(
      folder,
      (await json('cases.json')) as Cases,
      (await json('tokenizer_cases.json')) as TokenizerCases,
      tensors,
    );
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  has(file: string): boolean {
    return existsSync(this.path(file));
  }

  /** @throws when the bundle names a tensor that it does not hold. */
  tensor(name: string): ReferenceTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new RudolphError('bad-input', `cases.safetensors has no tensor ${name}`);
    return tensor;
  }

  /** The numbers k of all tensors `<prefix>.k.<suffix>`. */
  numbers(prefix: string, suffix: string): string[] {
    const pattern = new RegExp(`^${prefix}\\.(\\w+)\\.${suffix}$`.replaceAll('.k', '\\.k'));
    return [...this.tensors.keys()].flatMap((name) => pattern.exec(name)?.[1] ?? []);
  }
}

/** All tensors of a safetensors file, in memory. Only the types that reference bundles hold. */
export async function readTensors(file: string): Promise<Map<string, ReferenceTensor>> {
  const source = memorySource(new Uint8Array(await readFile(file)));
  const index = await readSafetensorsIndex(source, file);
  const tensors = new Map<string, ReferenceTensor>();
  for (const [name, { dtype, shape, start }] of index) {
    const count = shape.reduce((product, n) => product * n, 1);
    const bytes = await source.slice(start, start + count * SAFETENSORS_BYTES[dtype]);
    if (dtype === 'F32') tensors.set(name, { shape, data: new Float32Array(bytes) });
    else if (dtype === 'I32') tensors.set(name, { shape, data: new Int32Array(bytes) });
    else if (dtype === 'I64') tensors.set(name, { shape, data: Int32Array.from(new BigInt64Array(bytes), Number) });
    else if (dtype === 'U8' || dtype === 'BOOL') tensors.set(name, { shape, data: new Uint8Array(bytes) });
    else throw new RudolphError('bad-input', `${file}: ${name} is ${dtype}, expected F32, I32, I64, U8 or BOOL`);
  }
  return tensors;
}
