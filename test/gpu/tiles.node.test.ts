import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Dispatch, KernelSpec } from '../../src/gpu/kernel';
import { type Picks, TimedTiles } from '../../src/gpu/tiles';

/*
 * Which form is picked, on a device whose every dispatch takes as long as the test says. What is picked on a real one: linear.test.ts.
 */
let clock: number;
let submitted: number;
let failure: { lost: boolean };
let device: GPUDevice;
let refused: GPUError | null;
/** Milliseconds of a submission by itself. */
let overhead: number;

beforeEach(() => {
  clock = 1000;
  submitted = 0;
  failure = { lost: false };
  refused = null;
  overhead = 0.7;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  let pending = 0;
  const pass = {
    setPipeline: () => undefined,
    setBindGroup: () => undefined,
    dispatchWorkgroups: (milliseconds: number) => void (pending += milliseconds),
    end: () => undefined,
  };
  device = {
    pushErrorScope: () => undefined,
    popErrorScope: async () => refused,
    createCommandEncoder: () => ({ beginComputePass: () => pass, finish: () => undefined }),
    queue: {
      submit: () => void submitted++,
      onSubmittedWorkDone: () => {
        clock += overhead + pending;
        pending = 0;
        return Promise.resolve();
      },
    },
  } as unknown as GPUDevice;
});
afterEach(() => void vi.restoreAllMocks());

const form = (number: number): KernelSpec => ({ name: 'matmul', consts: { TILE: number } });
const [USUAL, WIDE, TALL] = [form(1), form(2), form(3)];
const FORMS = [USUAL, WIDE, TALL];

/** Records one dispatch that takes so many milliseconds, by the form's number; what has none cannot be compiled. */
const taking = (...milliseconds: readonly number[]) =>
  vi.fn<(form: KernelSpec) => Promise<readonly Dispatch[]>>(async ({ consts }) => {
    const time = milliseconds[consts!['TILE']! - 1];
    if (time === undefined) throw new Error('it does not compile');
    return [{ pipeline: {}, groups: [], workgroups: [time, 1, 1] } as unknown as Dispatch];
  });

const kept = (): Picks & { readonly all: Map<string, string> } => {
  const all = new Map<string, string>();
  return { all, get: async (key) => all.get(key), set: async (key, value) => void all.set(key, value) };
};

describe('what is picked', () => {
  test.each([
    ['the fastest', [1, 0.5, 0.7], WIDE],
    ['the usual one where it is fastest', [1, 2, 1.5], USUAL],
    ['the usual one where others are hardly better', [1, 0.97, 1], USUAL],
    ['the fastest of products that take long', [25, 20, 12], TALL],
    ['the usual one of products that take too long to wait for', [90, 80, 40], USUAL],
    ['the fastest of products that take much less than a submission', [0.01, 0.008, 0.012], WIDE],
    ['the fastest of those that compile', [1, 0.5], WIDE],
    ['the usual one where nothing compiles: using it tells why', [], USUAL],
  ])('%s', async (_, milliseconds, expected) => {
    const tiles = new TimedTiles(device, failure, 'a');
    expect(await tiles.pick('8 rows', FORMS, taking(...milliseconds))).toBe(expected);
  });

  test('is asked for once a key, and timed one after the other', async () => {
    const tiles = new TimedTiles(device, failure, 'a');
    const [record, other] = [taking(1, 0.5, 1), taking(0.5, 1, 1)];
    const all = ['8 rows', '8 rows', '9 rows'].map((key, n) => tiles.pick(key, FORMS, n === 2 ? other : record));
    expect(await Promise.all(all)).toEqual([WIDE, WIDE, USUAL]);
    expect(record).toHaveBeenCalledTimes(3);
    expect(record.mock.invocationCallOrder.at(-1)).toBeLessThan(other.mock.invocationCallOrder[0]!);
  });

  test('is known at the next visit, to this adapter', async () => {
    const picks = kept();
    await new TimedTiles(device, failure, 'a', picks).pick('8 rows', FORMS, taking(1, 0.5, 1));
    expect([...picks.all]).toEqual([['a: 8 rows', '{"TILE":2}']]);
    submitted = 0;
    const record = taking(1, 1, 0.5);
    expect(await new TimedTiles(device, failure, 'a', picks).pick('8 rows', FORMS, record)).toBe(WIDE);
    expect(submitted).toBe(0);
    expect(await new TimedTiles(device, failure, 'b', picks).pick('8 rows', FORMS, record)).toBe(TALL);
  });

  test('is timed anew where what was kept is no form', async () => {
    const picks = kept();
    picks.all.set('a: 8 rows', '{"TILE":9}');
    expect(await new TimedTiles(device, failure, 'a', picks).pick('8 rows', FORMS, taking(1, 0.5, 1))).toBe(WIDE);
    expect(picks.all.get('a: 8 rows')).toBe('{"TILE":2}');
  });

  test('is the usual one on a device that was lost meanwhile, and not kept', async () => {
    const picks = kept();
    failure.lost = true;
    expect(await new TimedTiles(device, failure, 'a', picks).pick('8 rows', FORMS, taking(1, 0, 0))).toBe(USUAL);
    expect(picks.all.size).toBe(0);
  });

  test.each([
    ['an empty submission takes too long (Firefox)', () => void (overhead = 100)],
    ['commands are refused: the model was disposed of', () => void (refused = {} as GPUError)],
  ])('is the usual one where %s, and not kept', async (_, happens) => {
    const picks = kept();
    happens();
    expect(await new TimedTiles(device, failure, 'a', picks).pick('8 rows', FORMS, taking(1, 0.5, 1))).toBe(USUAL);
    expect(picks.all.size).toBe(0);
  });

  test('is the usual one where the device was given up meanwhile, and not kept', async () => {
    const picks = kept();
    expect(await new TimedTiles(device, failure, 'a', picks).pick('8 rows', FORMS, taking(1, 0, 0))).toBe(USUAL);
    expect(picks.all.size).toBe(0);
  });

  test('needs no storage: one that fails is not asked again', async () => {
    const get = vi.fn<Picks['get']>(() => Promise.reject(new DOMException('private', 'InvalidStateError')));
    const tiles = new TimedTiles(device, failure, 'a', { get, set: () => Promise.reject(new Error('never asked')) });
    expect(await tiles.pick('8 rows', FORMS, taking(1, 0.5, 1))).toBe(WIDE);
    expect(await tiles.pick('9 rows', FORMS, taking(1, 1, 0.5))).toBe(TALL);
    expect(get).toHaveBeenCalledOnce();
  });
});
