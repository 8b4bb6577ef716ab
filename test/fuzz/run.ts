import { RudolphError } from '../../src/errors';
import { Dice } from './dice';
import type { Target } from './targets';

/** A longer message would flood a terminal or a page: it is as foreign as the file. */
const MOST_MESSAGE = 4000;

export interface Defect {
  readonly target: string;
  readonly seed: number;
  /** Number of the input: `npm run fuzz -- --target NAME --seed SEED --only INDEX` reads it again. */
  readonly index: number;
  readonly what: string;
}

export interface FuzzFigures {
  readonly accepted: number;
  readonly refused: number;
  readonly slowestMs: number;
  /** Number of the slowest input. */
  readonly slowestIndex: number;
  readonly defects: readonly Defect[];
}

/** Whether an input was taken, refused by a typed error, or ended otherwise (then what happened). */
async function readOne(
  target: Target,
  seed: number,
  index: number,
): Promise<'accepted' | 'refused' | { readonly what: string }> {
  try {
    await target.run(new Dice(seed, index, nameSeed(target.name)));
    return polluted() ?? 'accepted';
  } catch (error) {
    if (!(error instanceof RudolphError)) return { what: String((error as Error)?.stack ?? error) };
    const { message } = error;
    if (message.length > MOST_MESSAGE)
      return { what: `a message of ${message.length} characters: ${message.slice(0, 200)}…` };
    if (/(?!\n)[\p{Cc}\p{Bidi_Control}]/u.test(message))
      return { what: `control characters in ${JSON.stringify(message)}` };
    return polluted() ?? 'refused';
  }
}

function polluted(): { readonly what: string } | null {
  const keys = Object.keys(Object.prototype);
  return keys.length > 0 ? { what: `Object.prototype got ${keys.join()}` } : null;
}

function nameSeed(name: string): number {
  return [...name].reduce((sum, character) => Math.imul(sum, 31) + character.codePointAt(0)!, 7);
}

/**
 * Reads the inputs first…first+count−1 of a target.
 * @param mostMs what one input may take
 * @param before is called with the number of the next input, for those who watch from outside
 */
export async function fuzz(
  target: Target,
  seed: number,
  first: number,
  count: number,
  mostMs: number,
  before: (index: number) => void = () => undefined,
): Promise<FuzzFigures> {
  let [accepted, refused, slowestMs, slowestIndex] = [0, 0, 0, first];
  const defects: Defect[] = [];
  for (let index = first; index < first + count; index++) {
    before(index);
    const timed = async () => {
      const start = performance.now();
      return { result: await readOne(target, seed, index), ms: performance.now() - start };
    };
    let { result, ms } = await timed();
    // A machine that stands still for a while is no defect of the input: it gets a second chance.
    if (ms > mostMs) ({ result, ms } = await timed());
    if (ms > slowestMs) [slowestMs, slowestIndex] = [ms, index];
    const defect = (what: string) => defects.push({ target: target.name, seed, index, what });
    if (result === 'accepted') accepted++;
    else if (result === 'refused') refused++;
    else defect(result.what);
    if (ms > mostMs) defect(`took ${Math.round(ms)} ms, more than ${mostMs}`);
  }
  return { accepted, refused, slowestMs, slowestIndex, defects };
}
