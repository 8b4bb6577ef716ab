import type { ImageTokenizer } from './imageTokenizer';

export interface MeanColoursOptions {
  /** How often every code is drawn, each time among other neighbours. */
  readonly rounds?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

/**
 * The mean colour of each code's patch, for previews of pictures being drawn: every code is decoded `rounds` times at
 * random places among random neighbours, and its patches are averaged. The same tokenizer gives the same colours.
 * @returns (codes, 3) RGB, rounded to 8 bits
 */
export async function meanColours(
  tokenizer: ImageTokenizer,
  options: MeanColoursOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { factor, side } = tokenizer;
  const { codes } = tokenizer.config;
  const rounds = options.rounds ?? 4;
  const tokens = side * side;
  const pictures = Math.ceil((rounds * codes) / tokens);
  const random = xorshift(0x9e3779b9);
  const sums = new Float64Array(codes * 3);
  const counts = new Uint32Array(codes);
  let deck: number[] = [];
  for (let picture = 0; picture < pictures; picture++) {
    const indices: number[] = [];
    while (indices.length < tokens) {
      if (deck.length === 0) deck = shuffled(codes, random);
      indices.push(deck.pop()!);
    }
    const image = await tokenizer.decode(indices, options.signal ? { signal: options.signal } : {});
    indices.forEach((code, position) => {
      const top = Math.floor(position / side) * factor;
      const left = (position % side) * factor;
      counts[code]!++;
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let y = top; y < top + factor; y++) {
          for (let x = left; x < left + factor; x++) sum += image.data[(c * image.height + y) * image.width + x]!;
        }
        sums[code * 3 + c]! += sum / (factor * factor);
      }
    });
    options.onProgress?.((picture + 1) / pictures);
  }
  return Uint8Array.from(sums, (sum, at) => Math.round((255 * sum) / counts[Math.floor(at / 3)]!));
}

/** Marsaglia's xorshift32: 0…2³²−1. */
function xorshift(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

/** 0…count−1 in random order (Fisher–Yates). */
function shuffled(count: number, random: () => number): number[] {
  const items = Array.from({ length: count }, (_, index) => index);
  for (let i = count - 1; i > 0; i--) {
    const j = random() % (i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
