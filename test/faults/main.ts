import { parseArgs } from 'node:util';
import { Random } from '../support/random';
import { BROWSER_KINDS } from './browserKinds';
import { BrowserStage } from './browserWorld';
import { STORE_KINDS } from './storeKinds';
import { StoreStage } from './storeWorld';
import { type Figures, problemsIn, runSuite, type Stage, tableOf } from './suite';

const USAGE = `Usage: npm run test:faults -- [--seed N] [--share N] [--only TEXT] [--node]
  --seed N     another run (default: 1)
  --share N    of the rounds of each kind, e.g. 0.1 (default: 1)
  --only TEXT  kinds whose name holds this
  --node       without Chromium`;

/** Runs the fault suite and prints its figures. Returns the process's exit code: 1 if anything was not as it should be. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      share: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      node: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const share = Number(values.share);
  if (values.help || !Number.isSafeInteger(seed) || !(share > 0)) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const figures: Figures[] = [];
  const run = async <World>(start: () => Promise<Stage<World> & { stop(): Promise<void> }>): Promise<void> => {
    const stage = await start();
    const found = await runSuite(stage, {
      seed,
      share,
      only: values.only,
      onProblem: (text) => console.log(text),
      onKind: ({ kind, rounds, milliseconds }) =>
        process.stderr.write(`${kind}: ${rounds} rounds, ${(milliseconds / rounds).toFixed(0)} ms each\n`),
    }).finally(() => stage.stop());
    figures.push(...found);
  };
  const asked = ({ name }: { name: string }): boolean => name.includes(values.only);
  if (STORE_KINDS.some(asked)) await run(() => StoreStage.start(STORE_KINDS, new Random(seed)));
  if (!values.node && BROWSER_KINDS.some(asked)) await run(() => BrowserStage.start(BROWSER_KINDS, new Random(seed)));
  console.log(tableOf(figures));
  if (figures.length === 0) console.log(`no kind of round is named like '${values.only}'`);
  return problemsIn(figures) > 0 || figures.length === 0 ? 1 : 0;
}
