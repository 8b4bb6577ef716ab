import { describe, expect, it } from 'vitest';
import { Task } from '../../src/client/task';

type Event =
  | { readonly type: 'progress'; readonly done: number }
  | { readonly type: 'preview' | 'drafts'; readonly n: number }
  | { readonly type: 'picture' | 'notice'; readonly n: number };

/** A task that is moved on by hand. */
function start(signal?: AbortSignal) {
  let emit!: (event: Event) => void;
  let resolve!: (result: string) => void;
  let reject!: (error: unknown) => void;
  let stopped: AbortSignal | undefined;
  const task = new Task<Event, string>((own, tell) => {
    stopped = own;
    emit = tell;
    return new Promise((yes, no) => {
      resolve = yes;
      reject = no;
    });
  }, signal);
  return {
    task,
    /** The task's function runs a microtask after the call. */
    begun: Promise.resolve().then(() => undefined),
    emit: (event: Event) => emit(event),
    resolve: (result: string) => resolve(result),
    reject: (error: unknown) => reject(error),
    get stopped() {
      return stopped?.aborted ?? false;
    },
  };
}

const tick = () => new Promise((resolve) => setTimeout(resolve));

async function collect(task: Task<Event, string>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of task) events.push(event);
  return events;
}

describe('Task', () => {
  it('begins without being awaited', async () => {
    let begun = false;
    const task = new Task<Event, number>(async () => {
      begun = true;
      return 1;
    });
    await tick();
    expect(begun).toBe(true);
    expect(await task).toBe(1);
    expect(await task).toBe(1);
  });

  it('chains like a promise', async () => {
    const { task, begun, resolve } = start();
    await begun;
    resolve('done');
    expect(await task.then((result) => `${result}!`)).toBe('done!');
    expect(await task.finally(() => undefined)).toBe('done');
    expect(await task.catch(() => 'not this')).toBe('done');
  });

  it('gives events to a loop, then the result to await', async () => {
    const run = start();
    const read = collect(run.task);
    await run.begun;
    run.emit({ type: 'progress', done: 1 });
    await tick();
    run.emit({ type: 'progress', done: 2 });
    run.emit({ type: 'picture', n: 0 });
    run.resolve('done');
    expect(await read).toEqual([
      { type: 'progress', done: 1 },
      { type: 'progress', done: 2 },
      { type: 'picture', n: 0 },
    ]);
    expect(await run.task).toBe('done');
  });

  it('keeps of unread events the newest of each replaceable type, and all others', async () => {
    const run = start();
    await run.begun;
    const loop = run.task[Symbol.asyncIterator]();
    for (let n = 0; n < 100; n++) {
      run.emit({ type: 'progress', done: n });
      run.emit({ type: 'preview', n });
      run.emit({ type: 'drafts', n });
      if (n % 40 === 0) run.emit({ type: 'picture', n });
      if (n === 50) run.emit({ type: 'notice', n });
    }
    run.resolve('done');
    const events: Event[] = [];
    for (let next = await loop.next(); !next.done; next = await loop.next()) events.push(next.value);
    expect(events).toEqual([
      { type: 'picture', n: 0 },
      { type: 'picture', n: 40 },
      { type: 'notice', n: 50 },
      { type: 'picture', n: 80 },
      { type: 'progress', done: 99 },
      { type: 'preview', n: 99 },
      { type: 'drafts', n: 99 },
    ]);
  });

  it('gives a late reader what it missed, and every reader everything', async () => {
    const run = start();
    const early = collect(run.task);
    await run.begun;
    run.emit({ type: 'notice', n: 1 });
    await tick();
    run.emit({ type: 'progress', done: 1 });
    await tick();
    run.emit({ type: 'progress', done: 2 });
    run.resolve('done');
    await run.task;
    const late = collect(run.task);
    expect(await early).toEqual([
      { type: 'notice', n: 1 },
      { type: 'progress', done: 1 },
      { type: 'progress', done: 2 },
    ]);
    expect(await late).toEqual([
      { type: 'notice', n: 1 },
      { type: 'progress', done: 2 },
    ]);
  });

  it('throws the error after the events', async () => {
    const run = start();
    await run.begun;
    const error = new Error('no');
    run.emit({ type: 'notice', n: 1 });
    run.reject(error);
    const events: Event[] = [];
    const reading = (async () => {
      for await (const event of run.task) events.push(event);
    })();
    await expect(reading).rejects.toBe(error);
    expect(events).toHaveLength(1);
    await expect(run.task).rejects.toBe(error);
  });

  it('turns what is thrown at once into a rejection', async () => {
    const task = new Task<Event, string>(() => {
      throw new Error('at once');
    });
    await expect(task).rejects.toThrow('at once');
  });

  it('is cancelled by leaving the loop', async () => {
    const run = start();
    await run.begun;
    run.emit({ type: 'progress', done: 1 });
    // oxlint-disable-next-line no-unreachable-loop -- that is what is tested
    for await (const _ of run.task) break;
    expect(run.stopped).toBe(true);
    await expect(run.task).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('is cancelled by an error in the loop', async () => {
    const run = start();
    await run.begun;
    run.emit({ type: 'progress', done: 1 });
    const reading = (async () => {
      for await (const _ of run.task) throw new Error('mine');
    })();
    await expect(reading).rejects.toThrow('mine');
    expect(run.stopped).toBe(true);
  });

  it('is not cancelled by leaving the loop when it is over', async () => {
    const run = start();
    await run.begun;
    run.emit({ type: 'picture', n: 0 });
    run.emit({ type: 'picture', n: 1 });
    run.resolve('done');
    await run.task;
    // oxlint-disable-next-line no-unreachable-loop -- that is what is tested
    for await (const _ of run.task) break;
    expect(run.stopped).toBe(false);
    expect(await run.task).toBe('done');
  });

  it('rejects at once when cancelled, though the work has not stopped yet', async () => {
    const run = start();
    await run.begun;
    const reading = collect(run.task);
    run.task.cancel();
    await expect(run.task).rejects.toMatchObject({ name: 'AbortError' });
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    run.emit({ type: 'picture', n: 0 }); // heard by nobody
    run.resolve('too late');
    await expect(run.task).rejects.toMatchObject({ name: 'AbortError' });
  });

  it("rejects with the signal's reason", async () => {
    const controller = new AbortController();
    const run = start(controller.signal);
    await run.begun;
    const reason = new Error('enough');
    controller.abort(reason);
    expect(run.stopped).toBe(true);
    await expect(run.task).rejects.toBe(reason);
  });

  it('does not begin under a signal that has been aborted', async () => {
    let begun = false;
    const task = new Task<Event, string>(async () => {
      begun = true;
      return '';
    }, AbortSignal.abort('no'));
    await expect(task).rejects.toBe('no');
    expect(begun).toBe(false);
  });

  it('leaves no unhandled rejection behind when cancelled, but does when an error goes unseen', async () => {
    const unhandled: unknown[] = [];
    const listeners = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', (reason) => unhandled.push(reason));
    try {
      const cancelled = start();
      await cancelled.begun;
      cancelled.task.cancel();
      const failed = start();
      await failed.begun;
      failed.reject('unseen');
      await tick();
      await tick();
    } finally {
      process.removeAllListeners('unhandledRejection');
      for (const listener of listeners) process.on('unhandledRejection', listener);
    }
    expect(unhandled).toEqual(['unseen']);
  });
});
