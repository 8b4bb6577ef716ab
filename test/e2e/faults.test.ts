import { afterAll, beforeAll, expect, it } from 'vitest';
import { BROWSER_KINDS } from '../faults/browserKinds';
import { BrowserStage } from '../faults/browserWorld';
import { runSuite } from '../faults/suite';
import { Random } from '../support/random';

/*
 * A few rounds of the fault suite (test/faults) in a real Chromium; all of them: npm run test:faults.
 */
const SEED = 3;
const KINDS = ['worker ended', 'page crashed', 'two pages', 'no room', 'site data cleared', 'engine ended'];

let stage: BrowserStage;
beforeAll(async () => {
  const kinds = BROWSER_KINDS.filter(({ name }) => KINDS.some((kind) => name.includes(kind)));
  stage = await BrowserStage.start(kinds, new Random(SEED));
});
afterAll(() => stage?.stop());

it('a model outlasts what ends its download, fills its storage or empties it', async () => {
  const problems: string[] = [];
  const figures = await runSuite(stage, { seed: SEED, share: 0.01, onProblem: (text) => problems.push(text) });
  expect(problems).toEqual([]);
  expect(figures.map(({ rounds }) => rounds)).toEqual(KINDS.map(() => 1));
});
