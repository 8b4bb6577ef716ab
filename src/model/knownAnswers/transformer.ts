import { allowed, type Geometry } from '../../format/geometry';
import type { MaskKind } from '../../format/manifest';
import { f32, packParams } from '../../gpu/kernel';
import { DIRECT_PAIRS } from '../transformer';
import { dot, halves, series, table, type TestBench } from './bench';

const EPSILON = 1e-5;

/** embed: a whole sequence with pads in the left text, then a step of two sequences. */
export function embed(t: TestBench): void {
  const [hidden, left, side, right] = [72, 4, 2, 2]; // more than a workgroup's 64
  const [textVocabulary, imageVocabulary] = [12, 5];
  const pairs = hidden / 2;
  const text = halves(1, textVocabulary * hidden);
  const image = halves(2, imageVocabulary * hidden);
  const [rowsTable, columnsTable] = [left + 1 + right + 1, left + 1 + right + 1 + side];
  const positions = halves(3, (columnsTable + side) * hidden);
  const row = (values: Float64Array, index: number, k: number): number => values[index * hidden + k]!;
  const embedding = (id: number, position: number, k: number): number => {
    const token = position - left;
    if (token >= 0 && token < side * side) {
      const places =
        row(positions.values, rowsTable + Math.floor(token / side), k) +
        row(positions.values, columnsTable + (token % side), k);
      return row(image.values, id, k) + places;
    }
    const textId = position < left && id === 0 ? textVocabulary - left + position : id;
    const place = position < left ? position : left + 1 + position - left - side * side;
    return row(text.values, textId, k) + row(positions.values, place, k);
  };
  const length = left + side * side + right;
  const run = (tokens: readonly (readonly number[])[], rows: number, state: readonly number[], step: boolean): void => {
    const first = step ? state[1]! : state[0]!;
    const x = table(tokens.length * rows * hidden, (i) => {
      const [sequence, position] = [Math.floor(i / hidden / rows), first + (Math.floor(i / hidden) % rows)];
      return embedding(tokens[sequence]![position]!, position, i % hidden);
    });
    t.dispatch({
      params: packParams([hidden, pairs, length, rows, left, side, right, textVocabulary, step ? 1 : 0]),
      bindings: [
        t.input(Uint32Array.from(tokens.flat())),
        t.input(text.bits),
        t.input(image.bits),
        t.input(positions.bits),
        t.u32([first, ...state.slice(1)], state),
        t.f32(x),
      ],
      workgroups: [tokens.length * rows],
    });
  };
  const tokens = [2, 6, 0, 0, 4, 0, 3, 1, 2, 7];
  run([tokens], length, [0, 0, 0, 0], false);
  run([tokens, tokens.with(5, 2)], 1, [3, 5, 0, 0], true);
}

/** layer_norm: every second row from the second on, with the second of two norms. */
export function layerNorm(t: TestBench): void {
  const width = 200; // more than a workgroup's 128
  const x = series(1, 5 * width, 3);
  const norms = series(2, 4 * width);
  const y = table(2 * width, (i) => {
    const row = 1 + 2 * Math.floor(i / width);
    return normed(x.subarray(row * width, (row + 1) * width), norms, 2)[i % width]!;
  });
  t.dispatch({
    params: packParams([width, 1, 2, 2, f32(EPSILON)]),
    bindings: [t.input(x), t.input(norms), t.f32(y)],
    workgroups: [2],
  });
}

/** residual_norm, of the model's width: x += LN_a(clamp(branch)), y = LN_b(x). */
export function residualNorm(t: TestBench): void {
  const width = t.constant('WIDTH');
  const rows = 2;
  const limit = 0.75;
  const branch = series(1, rows * width);
  const before = series(2, rows * width, 2);
  const [normsA, normsB] = [series(3, 4 * width), series(4, 4 * width)];
  const x = new Float64Array(rows * width);
  const y = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    const clamped = branch.subarray(at, at + width).map((value) => Math.min(limit, Math.max(-limit, value)));
    normed(clamped, normsA, 2).forEach((value, k) => (x[at + k] = before[at + k]! + value));
    y.set(normed(x.subarray(at, at + width), normsB, 0), at);
  }
  t.dispatch({
    params: packParams([2, 0, f32(EPSILON), f32(limit)]),
    bindings: [t.input(branch), t.input(normsA), t.input(normsB), t.f32(x, before), t.f32(y)],
    workgroups: [rows],
  });
}

/** LayerNorm of one row; the gain is row `norm` of `norms`, the bias the next one. */
function normed(row: Float64Array, norms: Float64Array, norm: number): Float64Array {
  const width = row.length;
  const mean = row.reduce((sum, value) => sum + value, 0) / width;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
  const scale = 1 / Math.sqrt(variance + EPSILON);
  return row.map((value, k) => (value - mean) * scale * norms[norm * width + k]! + norms[(norm + 1) * width + k]!);
}

/** A left text that fills more than one round of a workgroup's 64 keys, a picture of 3 × 3, and a right text. */
const GEOMETRY: Geometry = { leftLength: 66, imageSide: 3, rightLength: 2, convKernel: 3, lastConvKernel: 5 };
const HEADS = 2;
const KINDS: readonly MaskKind[] = ['row', 'column', 'conv'];

/** attention and attention_direct, of the model's head width: several rows behind the second of two prefixes, then steps of two sequences with rings. */
export function attention(t: TestBench): void {
  const bitset = t.has('geometry_bitset');
  const { leftLength, imageSide, rightLength } = GEOMETRY;
  const length = leftLength + imageSide ** 2 + rightLength;
  // Any mask, as long as every position sees itself.
  const odd = series(9, length * length);
  const sees = (kind: MaskKind, query: number, key: number): boolean =>
    bitset ? key === query || odd[query * length + key]! > 0 : allowed(GEOMETRY, kind, query, key, kind !== 'conv');
  const words = Math.ceil(length / 32);
  const mask = new Uint32Array(length * words);
  for (let query = 0; query < length; query++)
    for (let key = 0; key <= query; key++)
      if (sees('row', query, key)) mask[query * words + (key >>> 5)]! |= 1 << (key & 31);
  const partBindings = bitset ? { partBindings: [t.input(mask)] } : {};
  const geometry = (kind: MaskKind): GPUBuffer => {
    const rightSeesLeft = kind === 'conv' ? 0 : 1; // both kinds of model
    return t.uniform(
      packParams([leftLength, imageSide, KINDS.indexOf(kind), GEOMETRY.convKernel, rightSeesLeft, words]),
    );
  };

  for (const kind of bitset ? KINDS.slice(0, 1) : KINDS) {
    const prefix = leftLength - 2;
    const rows = length - prefix;
    attend(t, {
      sequences: 1,
      rows,
      position: prefix,
      continued: [1],
      cache: { prefixLength: prefix, prefixes: 2, ring: rows },
      geometry: geometry(kind),
      partBindings,
      sees: (query, key) => sees(kind, query, key),
    });
  }
  if (bitset) return;
  attend(t, {
    sequences: 2,
    rows: 1,
    position: leftLength + 7,
    continued: [1, 0],
    cache: { prefixLength: leftLength, prefixes: 2, ring: imageSide + 1 },
    geometry: geometry('row'),
    partBindings,
    sees: (query, key) => sees('row', query, key),
  });
}

function attend(
  t: TestBench,
  spec: {
    readonly sequences: number;
    readonly rows: number;
    readonly position: number;
    readonly continued: readonly number[];
    readonly cache: { readonly prefixLength: number; readonly prefixes: number; readonly ring: number };
    readonly geometry: GPUBuffer;
    readonly partBindings: { readonly partBindings?: readonly GPUBuffer[] };
    readonly sees: (query: number, key: number) => boolean;
  },
): void {
  const head = t.constant('HEAD');
  const hidden = HEADS * head;
  const { prefixLength, prefixes, ring } = spec.cache;
  const slots = prefixes * prefixLength + spec.sequences * ring;
  const count = spec.sequences * spec.rows;
  const q = series(1, count * hidden);
  const keys = series(2, slots * hidden);
  const values = series(3, slots * hidden);
  const scale = 1 / Math.sqrt(head);
  const out = new Float64Array(count * hidden);
  for (let row = 0; row < count; row++) {
    const sequence = Math.floor(row / spec.rows);
    const query = spec.position + (row % spec.rows);
    const slotOf = (key: number): number =>
      key < prefixLength
        ? spec.continued[sequence]! * prefixLength + key
        : prefixes * prefixLength + sequence * ring + ((key - prefixLength) % ring);
    const seen = Array.from({ length: query + 1 }, (_, key) => key).filter((key) => spec.sees(query, key));
    for (let h = 0; h < HEADS; h++) {
      const [from, offset] = [row * hidden + h * head, h * head];
      const weights = seen.map((key) => Math.exp(scale * dot(q, from, keys, slotOf(key) * hidden + offset, head)));
      const total = weights.reduce((a, b) => a + b, 0);
      seen.forEach((key, j) => {
        const at = slotOf(key) * hidden + offset;
        for (let k = 0; k < head; k++) out[from + k]! += (weights[j]! / total) * values[at + k]!;
      });
    }
  }
  const pairs = HEADS * count;
  const direct = t.spec.name === 'attention_direct';
  const common = {
    bindings: [
      spec.geometry,
      t.uniform(packParams([prefixLength, prefixes, ring, spec.rows, 0])),
      t.input(Uint32Array.from([spec.position, 0, 0, 0, ...spec.continued])),
      t.input(q),
      t.input(keys),
      t.input(values),
      t.f32(out),
    ],
    ...spec.partBindings,
  };
  if (!direct) return t.dispatch({ ...common, params: packParams([HEADS, f32(scale)]), workgroups: [HEADS, count] });
  // In two dispatches, as the engine splits it where it would take too long.
  for (const [first, end] of [
    [0, HEADS],
    [HEADS, pairs],
  ] as const) {
    if (first < end)
      t.dispatch({
        ...common,
        params: packParams([HEADS, f32(scale), first, end]),
        workgroups: [Math.ceil((end - first) / DIRECT_PAIRS)],
      });
  }
}
