import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINE_USAGE, ENGINE_VALUES, withEngine } from '../cli/support/engine';
import { writePng } from '../cli/support/images';
import { Options } from '../cli/support/options';
import { endStatus, print, status } from '../cli/support/output';
import { RudolphError } from '../src/errors';
import { readHeldOut, readWorld, WORLD_FOLDER } from './files';
import { add, askText, openSubject, SCENE_PARTS, type Bench } from './parts';
import { table, type Outcome } from './report';
import { evenly, layoutOf, LAYOUTS, type HeldOut } from './scene';
import { writeSheet } from './sheet';

const PARTS = [...Object.keys(SCENE_PARTS), 'text', 'sum'];

const USAGE = `Usage: npm run eval -- [--only ${PARTS.join(',')}] [--limit N] [--share K/N] [--json FILE]
       npm run eval -- --merge a.json,b.json [--json FILE]

How well the embedded model does each task on what training held out, run by the engine as it ships; texts are greedy.
tokenizer: the composed picture through the image tokenizer and back.
caption:   the composed picture is described.
question:  each of the scene's questions about the composed picture.
reading:   what is written in the composed picture.
classes:   zero-shot: which of ten kinds a single sprite is.
draw:      the scene's caption with the default sampling, seed = the scene's number: the first picture; and of one sprite
           or two the best of 8, as the model ranks them. Judged by a matcher that knows nothing of the model.
text:      questions about scenes that are told in words.
sum:       lines of sums continued, and sums asked.
Without a GPU all of it takes hours; --share 1/2 and --share 2/2 side by side share two cores, and --merge makes one table.

${ENGINE_USAGE}
                      (default: embedded)
  --only S            which parts (default: all)
  --limit N           so many scenes of each layout, so many texts, so many seen and unseen sums (default: all)
  --share K/N         only every N-th entry, from the K-th on
  --candidates N      pictures drawn of one sprite or two (default: 8)
  --seed S            added to the seed of every drawing (default: 0)
  --json FILE         every text and verdict, saved again and again while it runs
  --merge FILES       prints the table of several such files, and runs nothing
  --pictures DIR      where to save the drawings
  --sheet FILE        a PNG of 64 of the drawings in --pictures with their prompts
  --world DIR         world.json, sprites.png, letters.png, heldout.json (default: ${WORLD_FOLDER})`;

const SAVE_EVERY_MS = 30_000;

interface Job {
  readonly part: string;
  readonly entry: string;
  readonly run: () => Promise<readonly Omit<Outcome, 'part' | 'entry'>[]>;
}

async function main(args: readonly string[], signal: AbortSignal): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return print(USAGE);
  const own = ['limit', 'only', 'share', 'candidates', 'seed', 'json', 'merge', 'pictures', 'sheet', 'world'];
  const options = new Options(['--model', 'embedded', ...args], { values: [...ENGINE_VALUES, ...own] });
  const only = options.string('only')?.split(',') ?? PARTS;
  const stranger = only.find((part) => !PARTS.includes(part));
  if (stranger !== undefined)
    throw new RudolphError('bad-input', `--only is "${stranger}"; it can be ${PARTS.join(', ')}`);
  const folder = options.string('world') ?? WORLD_FOLDER;
  const world = await readWorld(folder);
  const heldOut = await readHeldOut(folder);
  const [json, pictures, sheet] = [options.string('json'), options.string('pictures'), options.string('sheet')];
  if (sheet !== undefined && pictures === undefined)
    throw new RudolphError('bad-input', '--sheet shows the drawings in --pictures, which is missing');
  if (pictures !== undefined) await mkdir(pictures, { recursive: true });

  const outcomes: Outcome[] = [];
  const save = async (): Promise<void> => {
    if (json !== undefined) await writeFile(json, `${JSON.stringify({ outcomes })}\n`);
  };
  const merged = options.string('merge')?.split(',');
  for (const file of merged ?? [])
    outcomes.push(...(JSON.parse(await readFile(file, 'utf8')) as { outcomes: Outcome[] }).outcomes);
  if (!merged) {
    await withEngine(options, signal, async (engine) => {
      const bench: Bench = {
        engine,
        world,
        signal,
        candidates: options.integer('candidates', { min: 1, max: 64 }) ?? 8,
        seed: options.integer('seed', { min: 0, max: 0xffff0000 }) ?? 0,
        ...(pictures === undefined
          ? {}
          : { onDrawn: (scene, image) => writePng(join(pictures, `${String(scene).padStart(3, '0')}.png`), image) }),
      };
      const limit = options.integer('limit', { min: 1 });
      await work(jobsOf(bench, heldOut, only, limit, shareOf(options)), outcomes, save, signal);
    });
  }
  await save();
  if (sheet !== undefined) await writeSheet(sheet, pictures!, heldOut.scenes, world.description.side);
  print(table(outcomes).join('\n'));
}

function shareOf(options: Options): readonly [share: number, shares: number] {
  const text = options.string('share') ?? '1/1';
  const [, share, shares] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (share === undefined || shares === undefined || share < 1 || share > shares)
    throw new RudolphError('bad-input', `--share is "${text}"; expected e.g. 1/2`);
  return [share, shares];
}

/** All layouts in turn, so that the time left can soon be told; the parts of a scene one after the other. */
function jobsOf(
  bench: Bench,
  { scenes, texts, sums }: HeldOut,
  only: readonly string[],
  limit: number | undefined,
  [share, shares]: readonly [number, number],
): Job[] {
  const shared = <T>(list: readonly T[]): T[] => list.filter((_, i) => i % shares === share - 1);
  const numbered = scenes.map((scene, number) => ({ scene, number }));
  const layouts = LAYOUTS.map((layout) =>
    evenly(
      numbered.filter(({ scene }) => layoutOf(scene) === layout),
      limit,
    ),
  );
  const longest = Math.max(...layouts.map((list) => list.length));
  const mixed = Array.from({ length: longest }, (_, i) => layouts.flatMap((list) => list.slice(i, i + 1))).flat();
  const jobs: Job[] = shared(mixed).flatMap(({ scene, number }) => {
    const subject = openSubject(bench, scene, number);
    return Object.entries(SCENE_PARTS).map(([part, run]) => ({
      part,
      entry: `scene ${number}`,
      run: () => run(bench, subject),
    }));
  });
  for (const question of shared(evenly(texts, limit)))
    jobs.push({
      part: 'text',
      entry: `text ${texts.indexOf(question)}`,
      run: async () => [await askText(bench, question)],
    });
  const chosen = [false, true].flatMap((seen) =>
    evenly(
      sums.filter((sum) => sum.seen === seen),
      limit,
    ),
  );
  for (const sum of shared(chosen))
    jobs.push({ part: 'sum', entry: `sum ${sums.indexOf(sum)}`, run: () => add(bench, sum) });
  return jobs.filter(({ part }) => only.includes(part));
}

/** Runs jobs one after the other; says how long the rest will take, from the mean time of each part. */
async function work(
  jobs: readonly Job[],
  outcomes: Outcome[],
  save: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const spent = new Map<string, { seconds: number; count: number }>();
  let saved = performance.now();
  for (const [done, { part, entry, run }] of jobs.entries()) {
    signal.throwIfAborted();
    const left = jobs.slice(done).reduce((sum, job) => {
      const { seconds = 0, count = 1 } = spent.get(job.part) ?? {};
      return sum + seconds / count;
    }, 0);
    status(`${done} of ${jobs.length}, ${done === 0 ? '?' : Math.ceil(left / 60)} min left: ${part}, ${entry}`);
    const start = performance.now();
    for (const found of await run()) outcomes.push({ part, entry, ...found });
    const { seconds, count } = spent.get(part) ?? { seconds: 0, count: 0 };
    spent.set(part, { seconds: seconds + (performance.now() - start) / 1000, count: count + 1 });
    if (performance.now() - saved > SAVE_EVERY_MS) {
      await save();
      saved = performance.now();
    }
  }
  const each = [...spent].map(([part, { seconds, count }]) => `${part} ${(seconds / count).toFixed(1)} s`);
  status(`${jobs.length} jobs; one took: ${each.join(', ')}`, { done: true });
}

const controller = new AbortController();
process.once('SIGINT', () => controller.abort(new DOMException('interrupted', 'AbortError')));
try {
  await main(process.argv.slice(2), controller.signal);
} catch (error) {
  process.exitCode = controller.signal.aborted ? 130 : 1;
  endStatus();
  if (!controller.signal.aborted)
    process.stderr.write(`eval: ${error instanceof RudolphError ? error.message : String((error as Error).stack)}\n`);
}
// Dawn's threads would keep the process alive; what is written must be out before.
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit();
