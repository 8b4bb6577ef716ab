import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINE_USAGE, ENGINE_VALUES, withEngine } from '../cli/support/engine';
import { writePng } from '../cli/support/images';
import { Options } from '../cli/support/options';
import { endStatus, print, status } from '../cli/support/output';
import { RudolphError } from '../src/errors';
import { toRgba } from '../src/image/planar';
import { preprocess } from '../src/image/preprocess';
import type { Engine } from '../src/tasks/engine';
import { judgeCaption } from './captions';
import { readHeldOut, readWorld, WORLD_FOLDER } from './files';
import { judgeDrawing } from './matcher';
import { CAPTION_PARTS, DRAWING_PARTS, type Judged, table } from './report';
import { compose, type Scene } from './scene';
import type { World } from './world';

const USAGE = `Usage: npm run eval -- [--limit N] [--only caption,drafts,draw,decode] [--json FILE]

How well the embedded model knows its world: held-out scenes are described and drawn by the engine as it ships.
caption: the composed scene's picture is described, greedily.
drafts:  the same with the default sampling: the most frequent of 8.
draw:    the scene's caption with the default sampling, one picture a scene, seed = the scene's number; judged by a
         matcher that composes every kind of sprite at the stated place.
decode:  the composed picture through the image tokenizer and back, judged by the same matcher: the bound of "draw".
All scenes take the better part of an hour without a GPU; two runs, --only caption,drafts and --only draw, share two cores well.

${ENGINE_USAGE}
                      (default: embedded)
  --limit N           so many scenes, half of them with one sprite, half with two (default: all)
  --only S            which of them (default: caption,drafts,draw)
  --seed S            added to the seed of every drawing and draft (default: 0)
  --json FILE         everything: texts, codes and verdicts of each scene
  --pictures DIR      where to save the drawings
  --world DIR         sprites.png, sprites.json, heldout.json (default: ${WORLD_FOLDER})`;

const PARTS = ['caption', 'drafts', 'draw', 'decode'] as const;
const DEFAULT_PARTS = ['caption', 'drafts', 'draw'];

interface Outcome {
  readonly scene: Scene;
  readonly greedy?: Judged & { readonly text: string };
  readonly sampled?: Judged & { readonly text: string; readonly drafts: number };
  readonly decoded?: Judged;
  readonly drawn?: Judged & { readonly seed: number; readonly codebook: readonly number[] };
}

async function main(args: readonly string[], signal: AbortSignal): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return print(USAGE);
  const values = [...ENGINE_VALUES, 'limit', 'only', 'seed', 'json', 'pictures', 'world'];
  const options = new Options(['--model', 'embedded', ...args], { values });
  const only = options.string('only')?.split(',') ?? DEFAULT_PARTS;
  const stranger = only.find((part) => !PARTS.some((known) => known === part));
  if (stranger !== undefined)
    throw new RudolphError('bad-input', `--only is "${stranger}"; it can be ${PARTS.join(', ')}`);
  const limit = options.integer('limit', { min: 1 });
  const firstSeed = options.integer('seed', { min: 0, max: 0xffff0000 }) ?? 0;
  const folder = options.string('world') ?? WORLD_FOLDER;
  const pictures = options.string('pictures');
  const json = options.string('json');
  const world = await readWorld(folder);
  const scenes = take(await readHeldOut(folder), limit);
  if (pictures !== undefined) await mkdir(pictures, { recursive: true });

  const outcomes: Outcome[] = [];
  const seconds: Record<string, number> = {};
  const timed = async <T>(part: string, work: () => Promise<T>): Promise<T | object> => {
    if (!only.includes(part)) return {};
    const start = performance.now();
    const result = await work();
    seconds[part] = (seconds[part] ?? 0) + (performance.now() - start) / 1000;
    return result;
  };
  const started = performance.now();
  await withEngine(options, signal, async (engine) => {
    for (const [done, { scene, index }] of scenes.entries()) {
      const elapsed = (performance.now() - started) / 60000;
      const left = done === 0 ? '' : `, ${Math.ceil((elapsed / done) * (scenes.length - done))} min left`;
      status(`scene ${done + 1} of ${scenes.length}${left}: ${scene.caption}`);
      const seed = firstSeed + index;
      const outcome: Outcome = {
        scene,
        ...(await timed('caption', () => describe(engine, world, scene, signal))),
        ...(await timed('drafts', () => describeOften(engine, world, scene, seed, signal))),
        ...(await timed('decode', () => decode(engine, world, scene, signal))),
        ...(await timed('draw', () => draw(engine, world, scene, seed, signal, pictures))),
      };
      outcomes.push(outcome);
    }
  });
  const minutes = (performance.now() - started) / 60000;
  const each = Object.entries(seconds).map(([part, sum]) => `${part} ${(sum / outcomes.length).toFixed(1)} s`);
  status(`${outcomes.length} scenes in ${minutes.toFixed(1)} minutes; a scene took: ${each.join(', ')}`, {
    done: true,
  });

  const rows = (name: string, parts: readonly string[], of: (outcome: Outcome) => Judged | undefined): string[] =>
    table(
      name,
      parts,
      outcomes.flatMap((outcome) => {
        const judged = of(outcome);
        return judged ? [{ verdict: judged.verdict, pair: outcome.scene.size === 'pair' }] : [];
      }),
    );
  const lines = [
    ...rows('captions, greedy', CAPTION_PARTS, (outcome) => outcome.greedy),
    ...rows('captions, most frequent of 8', CAPTION_PARTS, (outcome) => outcome.sampled),
    ...rows('image tokenizer alone', DRAWING_PARTS, (outcome) => outcome.decoded),
    ...rows('drawings', DRAWING_PARTS, (outcome) => outcome.drawn),
  ];
  print(lines.join('\n'));
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ minutes, table: lines, outcomes })}\n`);
}

/** The first so many single scenes and pairs, alike, with their numbers. */
function take(scenes: readonly Scene[], limit = scenes.length): { readonly scene: Scene; readonly index: number }[] {
  const all = scenes.map((scene, index) => ({ scene, index }));
  const [singles, pairs] = [false, true].map((pair) => all.filter(({ scene }) => (scene.size === 'pair') === pair)) as [
    typeof all,
    typeof all,
  ];
  const half = Math.min(Math.ceil(limit / 2), singles.length);
  return [...singles.slice(0, half), ...pairs.slice(0, limit - half)];
}

async function describe(
  engine: Engine,
  world: World,
  scene: Scene,
  signal: AbortSignal,
): Promise<Pick<Outcome, 'greedy'>> {
  const { texts } = await engine.caption(compose(world, scene), { topK: 1, seed: 0 }, { signal });
  return { greedy: { text: texts[0]!, verdict: { ...judgeCaption(world, texts[0]!, scene) } } };
}

async function describeOften(
  engine: Engine,
  world: World,
  scene: Scene,
  seed: number,
  signal: AbortSignal,
): Promise<Pick<Outcome, 'sampled'>> {
  const { texts, counts } = await engine.caption(compose(world, scene), { count: 8, seed }, { signal });
  return { sampled: { text: texts[0]!, drafts: counts[0]!, verdict: { ...judgeCaption(world, texts[0]!, scene) } } };
}

async function decode(
  engine: Engine,
  world: World,
  scene: Scene,
  signal: AbortSignal,
): Promise<Pick<Outcome, 'decoded'>> {
  const encoder = await engine.model.encoder(signal);
  const { indices } = await encoder.encode(preprocess(compose(world, scene), world.description.side), { signal });
  const image = toRgba(await engine.model.images.decode(indices, { signal }));
  return { decoded: { verdict: { ...judgeDrawing(world, image, scene) } } };
}

async function draw(
  engine: Engine,
  world: World,
  scene: Scene,
  seed: number,
  signal: AbortSignal,
  pictures: string | undefined,
): Promise<Pick<Outcome, 'drawn'>> {
  const { images, codebooks } = await engine.textToImage(scene.caption, { seed }, { signal });
  if (pictures !== undefined) await writePng(join(pictures, `${String(seed).padStart(3, '0')}.png`), images[0]!);
  return { drawn: { seed, codebook: codebooks[0]!, verdict: { ...judgeDrawing(world, images[0]!, scene) } } };
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
