/** Plain loops that say what shaders/sample.wgsl and shaders/parts/filter.wgsl do, in double precision. */

export interface TwinFilter {
  readonly topK: number;
  readonly topP: number;
  readonly temperature: number;
}

/** Probabilities after temperature, top-k and top-p; zeros where every logit is −Infinity or NaN. */
export function filterTwin(logits: ArrayLike<number>, { topK, topP, temperature }: TwinFilter): Float64Array {
  const probabilities = new Float64Array(logits.length);
  let order = Array.from(logits, (_, index) => index).filter((index) => logits[index]! > -Infinity); // NaN compares false
  order.sort((a, b) => (logits[a] === logits[b] ? a - b : logits[b]! > logits[a]! ? 1 : -1));
  if (order.length === 0) return probabilities;
  if (topK > 0 && topK < order.length) {
    const border = logits[order[topK - 1]!]!;
    order = order.filter((index) => logits[index]! >= border);
  }
  const maximum = logits[order[0]!]!;
  let total = 0;
  const masses = order.map((index) =>
    logits[index] === maximum ? 1 : Math.exp((logits[index]! - maximum) / temperature),
  );
  for (const mass of masses) total += mass;
  let before = 0;
  let kept = 0;
  const keptClasses: number[] = [];
  for (const [rank, index] of order.entries()) {
    if (topP < 1 && before > topP * total) break;
    before += masses[rank]!;
    kept += masses[rank]!;
    keptClasses.push(index);
  }
  keptClasses.forEach((index, rank) => (probabilities[index] = masses[rank]! / kept));
  return probabilities;
}

/** What guidance draws from: each branch filtered by itself, then (1 − weight) · conditional + weight · unconditional. */
export function mixtureTwin(
  conditional: ArrayLike<number>,
  unconditional: ArrayLike<number>,
  filter: TwinFilter,
  weight: number,
): Float64Array {
  const other = filterTwin(unconditional, filter);
  return filterTwin(conditional, filter).map((probability, cls) => (1 - weight) * probability + weight * other[cls]!);
}

/** pcg4d of Jarzynski and Olano, JCGT 9(3), 2020. */
export function pcg4dTwin(counter: readonly [number, number, number, number]): [number, number, number, number] {
  let [x, y, z, w] = counter.map((word) => (Math.imul(word, 1664525) + 1013904223) | 0) as [
    number,
    number,
    number,
    number,
  ];
  const mix = (): void => {
    x = (x + Math.imul(y, w)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
    w = (w + Math.imul(y, z)) | 0;
  };
  mix();
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  w ^= w >>> 16;
  mix();
  return [x >>> 0, y >>> 0, z >>> 0, w >>> 0];
}

/** Gumbel noise of (seed, candidate, position, class). */
export function gumbelTwin(seed: number, candidate: number, position: number, cls: number): number {
  const bits = pcg4dTwin([seed, candidate, position, cls])[0];
  const v = Math.min(Math.fround(Math.fround(Math.fround(bits) + 0.5) * 2 ** -32), 1 - 2 ** -24);
  return -Math.log(-Math.log1p(-v));
}

/** The two best kept classes by scaled logit + noise: the draw, and by how much it won. */
export function drawTwin(
  logits: ArrayLike<number>,
  filter: TwinFilter,
  seed: number,
  candidate: number,
  position: number,
): { readonly token: number; readonly margin: number } {
  const probabilities = filterTwin(logits, filter);
  let token = 0;
  let best = -Infinity;
  let second = -Infinity;
  probabilities.forEach((probability, cls) => {
    if (probability === 0) return; // dropped (or so unlikely that no draw meets it)
    const noise = filter.topK === 1 ? 0 : gumbelTwin(seed, candidate, position, cls);
    const sum = logits[cls]! / filter.temperature + noise;
    if (sum > best) [best, second, token] = [sum, best, cls];
    else if (sum > second) second = sum;
  });
  return { token, margin: best - second };
}

/** The same from probabilities, as guidance draws. */
export function drawFromTwin(
  probabilities: Float64Array,
  seed: number,
  candidate: number,
  position: number,
): ReturnType<typeof drawTwin> {
  return drawTwin(probabilities.map(Math.log), { topK: 0, topP: 1, temperature: 1 }, seed, candidate, position);
}
