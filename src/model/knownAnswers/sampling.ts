import { f32, packParams } from '../../gpu/kernel';
import { classBits, type Filter, filterParams, NO_TOKEN } from '../sampler';
import { series, table, type TestBench, UNWRITTEN } from './bench';

/** Position of the rows just computed, and where their tokens go. */
const POSITION = 2;
const OFFSET = 1;
const SEQUENCE = 6;
const END = 3;

/** Logits of one draw and the tokens that the candidates 5, 6, 7, … draw from them. */
export interface KnownDraw {
  readonly logits: 'logits_plain' | 'logits_allowed' | 'logits_guided';
  readonly classes: number;
  /** Logits are as far apart as −spread…spread. */
  readonly spread: number;
  readonly filter: Filter;
  readonly seed: number;
  /**
   * Stored: as drawn by the twin in test/twins/sampler.ts, in double precision. test/gpu/selfTest.test.ts holds them against it, and that
   * no other class came near.
   */
  readonly tokens: readonly number[];
}
export const FIRST_CANDIDATE = 5;
export const GUIDANCE = 0.3;
export const DRAW_POSITION = POSITION + OFFSET;

export const KNOWN_DRAWS: readonly KnownDraw[] = [
  {
    logits: 'logits_plain',
    classes: 600,
    spread: 4,
    filter: { topK: 1, topP: 1, temperature: 1 },
    seed: 1,
    tokens: [323, 343, 514, 330],
  },
  {
    logits: 'logits_plain',
    classes: 600,
    spread: 4,
    filter: { topK: 20, topP: 0.9, temperature: 0.8 },
    seed: 2,
    tokens: [1, 495, 55, 541],
  },
  // More classes than the kernel lists in workgroup memory, of which most are dropped.
  {
    logits: 'logits_plain',
    classes: 2000,
    spread: 1,
    filter: { topK: 0, topP: 0.3, temperature: 1 },
    seed: 3,
    tokens: [1744, 352, 1642, 1089],
  },
  {
    logits: 'logits_allowed',
    classes: 600,
    spread: 4,
    filter: { topK: 0, topP: 0.95, temperature: 1 },
    seed: 4,
    tokens: [290, 437, 164, 577],
  },
  // What guidance draws from are probabilities. These draws fall elsewhere when either branch's weight is wrong.
  {
    logits: 'logits_guided',
    classes: 300,
    spread: 3,
    filter: { topK: 0, topP: 1, temperature: 1 },
    seed: 9,
    tokens: [45, 89, 108, 287],
  },
];

/** Classes on the list of `logits_allowed`. */
export function allowedClasses(classes: number): number[] {
  return Array.from({ length: classes }, (_, id) => id).filter((id) => id % 7 === 3);
}

/** [rows][classes], a row a candidate; of `logits_guided` twice as many, of probabilities. */
export function knownLogits(draw: KnownDraw): Float32Array[] {
  const guided = draw.logits === 'logits_guided';
  const rows = draw.tokens.length * (guided ? 2 : 1);
  return Array.from({ length: rows }, (_, row) => {
    const logits = series(draw.seed * 100 + row, draw.classes, draw.spread);
    if (!guided) return Float32Array.from(logits);
    const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
    return Float32Array.from(logits, (value) => Math.exp(value) / total);
  });
}

/** sample: the stored draws; then tokens that are given, ended or beyond the end. */
export function sample(t: TestBench): void {
  for (const draw of KNOWN_DRAWS) {
    if (!t.has(draw.logits)) continue;
    const { tokens } = draw;
    record(t, draw, { tokens, forced: NO_TOKEN, endFrom: NO_TOKEN, closed: tokens.map(() => 0) });
    // The first is drawn, the last was closed before; what is drawn from endFrom on closes its text.
    const closed = tokens.map((_, c) => (c === tokens.length - 1 ? 1 : 0));
    const endFrom = Math.min(...tokens);
    record(t, draw, { tokens: closed.map((flag) => (flag ? 0 : END)), forced: NO_TOKEN, endFrom, closed });
    record(t, draw, { tokens: tokens.map(() => 17), forced: 17, endFrom: NO_TOKEN, closed: tokens.map(() => 0) });
  }
}

function record(
  t: TestBench,
  draw: KnownDraw,
  given: {
    readonly tokens: readonly number[];
    readonly forced: number;
    readonly endFrom: number;
    readonly closed: readonly number[];
  },
): void {
  const candidates = given.tokens.length;
  const guided = draw.logits === 'logits_guided';
  const branches = guided ? 2 : 1;
  // Guidance reads whole rows; otherwise there are ids before the classes.
  const firstClass = guided ? 0 : 5;
  const rowStride = firstClass + draw.classes;
  const rows = knownLogits(draw);
  const logits = table(rows.length * rowStride, (i) => {
    const id = (i % rowStride) - firstClass;
    return id < 0 ? 100 : rows[Math.floor(i / rowStride)]![id]!;
  });
  const tokens = new Uint32Array(branches * candidates * SEQUENCE).fill(UNWRITTEN);
  for (let row = 0; row < branches * candidates; row++)
    tokens[row * SEQUENCE + DRAW_POSITION] = given.tokens[row % candidates]!;
  const forced = Uint32Array.from({ length: SEQUENCE }, (_, i) => (i === DRAW_POSITION ? given.forced : 99));
  const done = given.tokens.map((token, c) => (given.closed[c] === 1 || token === END ? 1 : 0));
  const part = {
    logits_plain: [],
    logits_allowed: [t.input(classBits(allowedClasses(draw.classes), draw.classes))],
    logits_guided: [t.uniform(packParams([f32(GUIDANCE), candidates * draw.classes]))],
  }[draw.logits];
  t.dispatch({
    params: packParams([
      draw.classes,
      firstClass,
      rowStride,
      candidates,
      SEQUENCE,
      OFFSET,
      ...filterParams(draw.filter),
      draw.seed,
      FIRST_CANDIDATE,
      given.endFrom,
      END,
      candidates,
      branches,
    ]),
    bindings: [
      t.input(logits),
      t.input(forced),
      t.u32([POSITION, DRAW_POSITION], [POSITION, 0]),
      t.u32(tokens),
      t.u32(done, given.closed),
    ],
    ...(part.length > 0 ? { partBindings: part } : {}),
    workgroups: [candidates],
  });
}

/** What filter_probs keeps of two rows, stored as the tokens above are. */
export const KNOWN_FILTERS = {
  classes: 600,
  spread: 4,
  filter: { topK: 12, topP: 0.8, temperature: 0.7 },
  kept: {
    logits_plain: [
      [119, 239, 241, 281, 367, 393, 451, 485, 539, 550],
      [20, 55, 74, 170, 223, 248, 253, 383, 426, 431],
    ],
    logits_allowed: [
      [241, 297, 318, 367, 416, 451, 465, 479, 549],
      [192, 213, 248, 255, 311, 318, 402, 570],
    ],
  },
} as const satisfies {
  readonly kept: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly [name: string]: unknown;
};

/** Row `row` of what is filtered. */
export function filteredLogits(row: number): Float32Array {
  return Float32Array.from(series(900 + row, KNOWN_FILTERS.classes, KNOWN_FILTERS.spread));
}

/** filter_probs: two rows, and one without a number. */
export function filterProbs(t: TestBench): void {
  const { classes, filter, kept } = KNOWN_FILTERS;
  const part = t.has('logits_allowed') ? 'logits_allowed' : 'logits_plain';
  const rows = [filteredLogits(0), filteredLogits(1), new Float32Array(classes).fill(NaN)];
  const expected = rows.flatMap((logits, row) => {
    const ids: readonly number[] | undefined = kept[part][row];
    if (!ids) return new Array<number>(classes).fill(-1);
    const mass = (id: number): number => Math.exp(logits[id]! / filter.temperature);
    const total = ids.reduce((sum, id) => sum + mass(id), 0);
    return Array.from({ length: classes }, (_, id) => (ids.includes(id) ? mass(id) / total : 0));
  });
  t.dispatch({
    params: packParams([classes, ...filterParams(filter)]),
    bindings: [t.input(rows.flatMap((row) => Array.from(row))), t.f32(expected)],
    ...(part === 'logits_allowed' ? { partBindings: [t.input(classBits(allowedClasses(classes), classes))] } : {}),
    workgroups: [rows.length],
  });
}
