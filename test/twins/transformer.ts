/** Plain-loop twins of the transformer's kernels: slow, in double precision, meant to be read beside the WGSL. */

/** y[r, n] = Σ_k x[r, k] · weight[n, k] + bias[n] */
export function linear(
  x: ArrayLike<number>,
  rows: number,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  inputs: number,
): Float64Array {
  const columns = bias.length;
  const y = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let n = 0; n < columns; n++) {
      let sum = bias[n]!;
      for (let k = 0; k < inputs; k++) sum += x[r * inputs + k]! * weight[n * inputs + k]!;
      y[r * columns + n] = sum;
    }
  }
  return y;
}

/** GELU in its tanh form. */
export function gelu(value: number): number {
  return 0.5 * value * (1 + Math.tanh(0.7978845608028654 * value * (1 + 0.044715 * value * value)));
}

/** (x − mean) / sqrt(variance + 1e-5) · gain + bias, for one row. */
export function layerNorm(x: ArrayLike<number>, gain: ArrayLike<number>, bias: ArrayLike<number>): Float64Array {
  const n = x.length;
  let mean = 0;
  for (let k = 0; k < n; k++) mean += x[k]! / n;
  let variance = 0;
  for (let k = 0; k < n; k++) variance += (x[k]! - mean) ** 2 / n;
  return Float64Array.from(
    { length: n },
    (_, k) => ((x[k]! - mean) / Math.sqrt(variance + 1e-5)) * gain[k]! + bias[k]!,
  );
}

/** softmax(q · k / √width) · v over the allowed positions, for one query and head; keys and values are [position][width]. */
export function attend(
  q: ArrayLike<number>,
  keys: readonly ArrayLike<number>[],
  values: readonly ArrayLike<number>[],
  allowed: readonly number[],
): Float64Array {
  const width = q.length;
  const scores = allowed.map((p) => {
    let dot = 0;
    for (let k = 0; k < width; k++) dot += q[k]! * keys[p]![k]!;
    return dot / Math.sqrt(width);
  });
  const maximum = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - maximum));
  const total = weights.reduce((a, b) => a + b, 0);
  const out = new Float64Array(width);
  allowed.forEach((p, j) => {
    for (let k = 0; k < width; k++) out[k]! += (weights[j]! / total) * values[p]![k]!;
  });
  return out;
}

export interface TwinGeometry {
  readonly left: number;
  readonly side: number;
  readonly right: number;
  readonly kernel: number;
  readonly rightSeesLeft: boolean;
}

/** Positions that the query at `position` attends to, straight from the masks' definition: every earlier key is asked. */
export function allowedKeys(g: TwinGeometry, kind: 'row' | 'column' | 'conv', position: number): number[] {
  const imageEnd = g.left + g.side ** 2;
  const sees = (key: number): boolean => {
    if (position < g.left) return true;
    if (position >= imageEnd) return key >= g.left || g.rightSeesLeft;
    if (key < g.left) return true;
    const q = position - g.left;
    const k = key - g.left;
    if (kind === 'row') return q - k <= g.side;
    if (kind === 'column') return q % g.side === k % g.side;
    const half = Math.floor(g.kernel / 2);
    return Math.floor(q / g.side) - Math.floor(k / g.side) <= half && Math.abs((q % g.side) - (k % g.side)) <= half;
  };
  return Array.from({ length: position + 1 }, (_, key) => key).filter(sees);
}
