import { Random } from '../support/random';

/** What must never come of a round. */
export type Problem =
  /** The storage holds what is not what its name says. */
  | 'damaged'
  /** A load gave other bytes than the model's, or a task other tokens. */
  | 'wrong'
  /** Something did not end in time. */
  | 'hung'
  /** Another promise is broken: an error without a type, a load that should have succeeded, bytes fetched again, room not freed. */
  | 'broken';

export const PROBLEMS: readonly Problem[] = ['damaged', 'wrong', 'hung', 'broken'];

/** One way for things to go wrong. A `World` is made for each round and looks at itself at the end. */
export interface Kind<World> {
  readonly name: string;
  /** Rounds of a full run; a shorter one has a share of them. */
  readonly rounds: number;
  run(world: World): Promise<void>;
}

/** Where rounds take place. */
export interface Stage<World> {
  readonly kinds: readonly Kind<World>[];
  /** Milliseconds that a round may take before it counts as hung. */
  readonly deadline: number;
  begin(random: Random, report: Report): Promise<World>;
  /** Is everything as it should be after a round? */
  check(world: World): Promise<void>;
  /** Ends what is left of a round, be it hung. */
  end(world: World): Promise<void>;
}

export type Report = (problem: Problem, what: string) => void;

export interface Figures {
  readonly kind: string;
  rounds: number;
  readonly problems: Record<Problem, number>;
  milliseconds: number;
}

export interface SuiteOptions {
  readonly seed: number;
  /** Of each kind's rounds; at least one is run. */
  readonly share: number;
  /** Only kinds whose name holds this. */
  readonly only?: string;
  /** Is told of every problem, with what repeats the round. */
  readonly onProblem?: (text: string) => void;
  readonly onKind?: (figures: Figures) => void;
}

/** Runs the rounds of all kinds. A round's seed is made of the suite's, the kind and the round's number: each repeats alone. */
export async function runSuite<World>(stage: Stage<World>, options: SuiteOptions): Promise<Figures[]> {
  const all: Figures[] = [];
  for (const kind of stage.kinds) {
    if (options.only && !kind.name.includes(options.only)) continue;
    const figures: Figures = {
      kind: kind.name,
      rounds: 0,
      problems: { damaged: 0, wrong: 0, hung: 0, broken: 0 },
      milliseconds: 0,
    };
    const rounds = Math.max(1, Math.round(kind.rounds * options.share));
    const started = performance.now();
    for (let round = 0; round < rounds; round++) {
      const found = new Map<Problem, string>();
      await runRound(stage, kind, new Random(hash(`${options.seed} ${kind.name} ${round}`)), (problem, what) => {
        if (!found.has(problem)) found.set(problem, what);
      });
      figures.rounds++;
      for (const [problem, what] of found) {
        figures.problems[problem]++;
        options.onProblem?.(`${kind.name}, round ${round} of seed ${options.seed}: ${problem}: ${what}`);
      }
    }
    figures.milliseconds = performance.now() - started;
    all.push(figures);
    options.onKind?.(figures);
  }
  return all;
}

async function runRound<World>(stage: Stage<World>, kind: Kind<World>, random: Random, report: Report): Promise<void> {
  let world: World | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      report('hung', `not over after ${stage.deadline / 1000} s`);
      resolve();
    }, stage.deadline);
  });
  const round = async (): Promise<void> => {
    world = await stage.begin(random, report);
    await kind.run(world);
    await stage.check(world);
  };
  try {
    await Promise.race([round(), late]);
  } catch (error) {
    // A browser appends all that it ever said.
    report('broken', (error instanceof Error ? (error.stack ?? error.message) : String(error)).slice(0, 800));
  } finally {
    clearTimeout(timer);
    if (world) await stage.end(world);
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return state >>> 0;
}

/** The figures as a table. */
export function tableOf(figures: readonly Figures[]): string {
  const total: Figures = {
    kind: 'all',
    rounds: 0,
    problems: { damaged: 0, wrong: 0, hung: 0, broken: 0 },
    milliseconds: 0,
  };
  for (const line of figures) {
    total.rounds += line.rounds;
    total.milliseconds += line.milliseconds;
    for (const problem of PROBLEMS) total.problems[problem] += line.problems[problem];
  }
  const rows = [...figures, total].map(({ kind, rounds, problems, milliseconds }) =>
    [kind, rounds, ...PROBLEMS.map((problem) => problems[problem]), `${(milliseconds / 1000).toFixed(1)} s`].map(
      String,
    ),
  );
  const lines = [['kind', 'rounds', ...PROBLEMS, 'time'], ...rows];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

export function problemsIn(figures: readonly Figures[]): number {
  return figures.reduce((sum, { problems }) => sum + PROBLEMS.reduce((all, name) => all + problems[name], 0), 0);
}
