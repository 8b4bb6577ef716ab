import { sequenceLength } from '../../src/format/geometry';
import { forward } from '../../src/model/forward';
import { generate, type GenerateRequest } from '../../src/model/generate';
import { NO_TOKEN, Sampler } from '../../src/model/sampler';
import { Transformer } from '../../src/model/transformer';
import { Weights } from '../../src/model/weights';
import { openGpu } from './gpu';
import { randomModel, SMALL } from './randomModel';

export const LENGTH = sequenceLength(SMALL);
export const IMAGE_TOKENS = SMALL.imageSide ** 2;
export const LEFT = Array.from({ length: SMALL.leftLength }, (_, i) => (i < 6 ? 2 + 7 * i : 0));
/** The unconditional left text. */
export const EMPTY = Array.from({ length: SMALL.leftLength }, (_, i) => [2, 96, 3][i] ?? 0);
export const PICTURE = Array.from({ length: IMAGE_TOKENS }, (_, i) => (i * 17) % 50);

/** Three pictures. */
export const DRAW: GenerateRequest = {
  prefix: LEFT,
  end: SMALL.leftLength + IMAGE_TOKENS,
  count: 3,
  stream: 'image',
  classes: SMALL.imageVocabulary - SMALL.imageSpecialTokens,
  sampling: { seed: 5, topK: 20, topP: 0.95, temperature: 1 },
};
/** Three texts behind a picture. */
export const WRITE: GenerateRequest = {
  prefix: [...LEFT, ...PICTURE, 2, 95, 17],
  end: LENGTH,
  count: 3,
  stream: 'text',
  classes: SMALL.textVocabulary - SMALL.leftLength,
  endFrom: 90,
  sampling: { seed: 6, topK: 1, topP: 1, temperature: 1 },
};

/** [sequence length] with `ids` given from `first` on, for each of `runs`. */
export function given(...runs: (readonly [first: number, ids: readonly number[]])[]): Uint32Array<ArrayBuffer> {
  const forced = new Uint32Array(LENGTH).fill(NO_TOKEN);
  for (const [first, ids] of runs) forced.set(ids, first);
  return forced;
}

/** The random model `SMALL` on a device of its own. */
export interface SmallModel {
  /** `generate` with `DRAW` and these changes. */
  draw(change?: Partial<GenerateRequest>): Promise<number[][]>;
  /** `generate` with `WRITE` and these changes. */
  write(change?: Partial<GenerateRequest>): Promise<number[][]>;
  /** Logits, of the request's classes, that predict each of `ids` behind its prefix, from one pass over everything without a cache. */
  logitsFor(
    request: Pick<GenerateRequest, 'prefix' | 'stream' | 'classes'>,
    ids: readonly number[],
  ): Promise<Float32Array[]>;
  dispose(): void;
}

export async function openSmallModel(): Promise<SmallModel> {
  const gpu = await openGpu({ variants: 'base' });
  const weights = await Weights.load(gpu.device, await randomModel(SMALL), ['transformer']);
  const transformer = Transformer.create(gpu, SMALL, weights);
  const sampler = await Sampler.create(gpu);
  const run = async (request: GenerateRequest): Promise<number[][]> =>
    (await generate(transformer, sampler, request)).map((tokens) => Array.from(tokens));
  return {
    draw: (change = {}) => run({ ...DRAW, ...change }),
    write: (change = {}) => run({ ...WRITE, ...change }),
    async logitsFor({ prefix, stream, classes }, ids) {
      const { logits } = await forward(transformer, [[...prefix, ...ids]]);
      const width = SMALL.textVocabulary + SMALL.imageVocabulary;
      return ids.map((_, t) => {
        const start = (prefix.length + t - 1) * width + (stream === 'image' ? SMALL.textVocabulary : 0);
        return logits.subarray(start, start + classes);
      });
    },
    dispose() {
      transformer.dispose();
      weights.dispose();
      gpu.dispose();
    },
  };
}
