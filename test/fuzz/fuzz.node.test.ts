import { expect, it } from 'vitest';
import { fuzz } from './run';
import { fuzzTargets } from './targets';

/** Inputs of all targets; `npm run fuzz` reads a million, each watched by another thread. */
const INPUTS = 6000;
const MOST_MS = 3000;

const targets = await fuzzTargets();
const weights = targets.reduce((sum, { weight }) => sum + weight, 0);

it.each(targets.map((target) => [target.name, target] as const))(
  '%s: mutated inputs are read or refused by a RudolphError',
  async (_, target) => {
    const count = Math.ceil((INPUTS * target.weight) / weights);
    const { accepted, refused, defects } = await fuzz(target, 1, 0, count, MOST_MS);
    expect(defects).toEqual([]);
    expect(accepted + refused).toBe(count);
    // Where everything is refused, or everything taken, the mutator reaches nothing.
    expect(accepted).toBeGreaterThan(0);
  },
);
