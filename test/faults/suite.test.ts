import { set } from 'idb-keyval';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../support/random';
import { STORE_KINDS } from './storeKinds';
import { StoreStage, type StoreWorld } from './storeWorld';
import { type Kind, type Problem, problemsIn, runSuite, type Stage, tableOf } from './suite';

/*
 * A short run of the fault suite (npm run test:faults is the long one, with Chromium), and that it notices what it is for.
 */
const SEED = 7;
let stage: StoreStage;
beforeAll(async () => {
  stage = await StoreStage.start(STORE_KINDS, new Random(SEED));
});
afterAll(() => stage.stop());

it('nothing is damaged, wrong, hung or broken, whatever fails', async () => {
  const problems: string[] = [];
  const figures = await runSuite(stage, { seed: SEED, share: 0.02, onProblem: (text) => problems.push(text) });
  expect(problems).toEqual([]);
  expect(figures.reduce((sum, { rounds }) => sum + rounds, 0)).toBeGreaterThanOrEqual(STORE_KINDS.length);
});

describe('the suite notices', () => {
  const kind = (name: Problem, run: (world: StoreWorld) => Promise<void>): Kind<StoreWorld> => ({
    name,
    rounds: 1,
    run,
  });
  const never = new Promise<never>(() => undefined);

  it.each<Kind<StoreWorld>>([
    kind('damaged', async (world) => {
      await world.mustLoad();
      const [path] = world.shardPaths();
      await set(path!.slice(6, -4), new ArrayBuffer(8), world.databases.shards);
    }),
    kind('wrong', async (world) => {
      const [[hash, bytes]] = world.known as unknown as [[string, Uint8Array]];
      world.known.set(hash, bytes.toReversed());
      await world.mustLoad();
    }),
    kind('hung', async (world) => {
      // A tab that holds the lock of a shard for ever, and does not die.
      const [path] = world.shardPaths();
      void world.tab().run(() => navigator.locks.request(`rudolph-shard-${path!.slice(6, -4)}`, {}, () => never));
      await world.mustLoad();
    }),
    kind('broken', async (world) => {
      world.host.faults.set('model/rudolph.json', [{ type: 'status', status: 404 }]);
      await world.mustLoad();
    }),
  ])('what is $name', async (one) => {
    const short: Stage<StoreWorld> = {
      kinds: [one],
      deadline: one.name === 'hung' ? 1000 : stage.deadline,
      begin: (random, report) => stage.begin(random, report),
      check: (world) => stage.check(world),
      end: (world) => stage.end(world),
    };
    const figures = await runSuite(short, { seed: SEED, share: 1 });
    expect(figures[0]!.problems[one.name as Problem]).toBe(1);
    expect(problemsIn(figures)).toBeGreaterThan(0);
    expect(tableOf(figures)).toMatch(new RegExp(`^${one.name} +1 `, 'm'));
  });
});
