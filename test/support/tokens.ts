import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { forward } from '../../src/model/forward';
import { generate } from '../../src/model/generate';
import type { Engine } from '../../src/tasks/engine';
import { IMAGE_SAMPLING } from '../../src/tasks/sampling';
import { filterTwin, gumbelTwin } from '../twins/sampler';

/**
 * Tokens may differ between adapters and batch sizes only where the two best sums of logit and noise, or a class and the
 * border of top-p, lie closer than sums taken in another order can tell apart.
 */
export const LARGEST_MARGIN = 1e-3;

export interface Drawing {
  readonly prompt: string;
  readonly seed: number;
}

/** What the embedded model draws in tests. */
export const DRAWING: Drawing = { prompt: 'большая вишня в центре на белом фоне', seed: 1 };

/** What it drew when it came into the repository. */
const STORED = 'test/fixtures/embedded-tokens.json';

interface StoredTokens extends Drawing {
  /** Which weights drew them, and on what. */
  readonly transformer: string;
  readonly adapter: string;
  readonly codebooks: readonly (readonly number[])[];
}

export function transformerOf({ manifest }: Engine): string {
  return manifest.components.transformer!.shards.map((shard) => shard.sha256).join(' ');
}

export function writeStoredTokens(stored: StoredTokens): void {
  writeFileSync(STORED, `${JSON.stringify(stored)}\n`);
}

/** Fails where they are another model's than `transformer`'s. */
export function readStoredTokens(transformer: string): StoredTokens {
  expect(existsSync(STORED), `${STORED} is missing: RUDOLPH_WRITE_FIXTURES=1 writes it`).toBe(true);
  const stored = JSON.parse(readFileSync(STORED, 'utf8')) as StoredTokens;
  expect(
    stored.transformer,
    'the model is another one than drew the stored tokens: write them anew with RUDOLPH_WRITE_FIXTURES=1',
  ).toBe(transformer);
  return stored;
}

/** Draws candidates with the default sampling, `batch` at once; (count, d²). Nothing is decoded. */
export async function drawTokens(
  engine: Engine,
  { prompt, seed }: Drawing,
  count: number,
  batch = count,
): Promise<number[][]> {
  const { transformer, sampler, manifest } = engine.model;
  const { leftLength, imageSide, imageVocabulary, imageSpecialTokens } = manifest.config;
  const tokens = await generate(transformer, sampler, {
    prefix: engine.model.leftPrompt(prompt, 'LT_T2I').ids,
    end: leftLength + imageSide ** 2,
    count,
    batch,
    stream: 'image',
    classes: imageVocabulary - imageSpecialTokens,
    sampling: { ...IMAGE_SAMPLING, seed },
  });
  return tokens.map((ids) => Array.from(ids));
}

/** Logits of every image token that `codes` are a drawing of, (d², classes), from one full forward pass. */
export async function imageLogits(
  engine: Engine,
  { prompt }: Drawing,
  codes: readonly number[],
): Promise<Float32Array[]> {
  const { transformer, manifest } = engine.model;
  const { leftLength, textVocabulary, imageVocabulary, imageSpecialTokens } = manifest.config;
  const ids = [...engine.model.leftPrompt(prompt, 'LT_T2I').ids, ...codes.slice(0, -1)];
  const { logits } = await forward(transformer, [ids]);
  return codes.map((_, token) => {
    const start = (leftLength + token - 1) * (textVocabulary + imageVocabulary) + textVocabulary;
    return logits.subarray(start, start + imageVocabulary - imageSpecialTokens);
  });
}

/** How close the decision between two classes was: the distance of their perturbed logits, or of the dropped one to the border of top-p. */
function margin(
  logits: Float32Array,
  classes: readonly [number, number],
  seed: number,
  candidate: number,
  position: number,
): number {
  const kept = filterTwin(logits, IMAGE_SAMPLING);
  const dropped = classes.find((id) => kept[id] === 0);
  if (dropped === undefined) {
    const [a, b] = classes.map(
      (id) => logits[id]! / IMAGE_SAMPLING.temperature + gumbelTwin(seed, candidate, position, id),
    );
    return Math.abs(a! - b!);
  }
  // The share of all that is likelier than the dropped class must lie just above p.
  const shares = filterTwin(logits, { ...IMAGE_SAMPLING, topP: 1 });
  let before = 0;
  shares.forEach((share, id) => (before += logits[id]! > logits[dropped]! ? share : 0));
  return before - IMAGE_SAMPLING.topP;
}

/**
 * Compares drawings token by token up to the first that differs (what follows depends on it).
 * @param actual, expected (count, d²) of candidates 0, 1, …
 * @returns a sentence for each candidate that differs, and the margin there.
 */
export async function tokenDifferences(
  engine: Engine,
  drawing: Drawing,
  actual: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): Promise<{ readonly text: string; readonly margin: number }[]> {
  const { leftLength } = engine.manifest.config;
  const differences: { text: string; margin: number }[] = [];
  for (const [c, codes] of expected.entries()) {
    const token = codes.findIndex((id, t) => actual[c]?.[t] !== id);
    if (token < 0 && actual[c]?.length === codes.length) continue;
    const pair = [actual[c]?.[token] ?? -1, codes[token] ?? -1] as const;
    if (pair[0] < 0 || pair[1] < 0)
      throw new Error(`candidate ${c} has ${actual[c]?.length} tokens, expected ${codes.length}`);
    const logits = await imageLogits(engine, drawing, codes);
    const close = margin(logits[token]!, pair, drawing.seed, c, leftLength + token);
    const text = `candidate ${c}, token ${token}: ${pair[0]} instead of ${pair[1]}; margin ${close.toExponential(2)}`;
    differences.push({ text, margin: close });
  }
  return differences;
}

/** Fails where tokens of `DRAWING` differ by more than rounding can explain; says on the console where they differ at all. */
export async function expectTokens(
  engine: Engine,
  actual: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
  what: string,
): Promise<void> {
  const differences = await tokenDifferences(engine, DRAWING, actual, expected);
  for (const { text } of differences) console.warn(`${what}: ${text}`);
  const worst = Math.max(0, ...differences.map(({ margin }) => Math.abs(margin)));
  expect(worst, `${what}: ${differences.map(({ text }) => text).join('\n')}`).toBeLessThanOrEqual(LARGEST_MARGIN);
}
