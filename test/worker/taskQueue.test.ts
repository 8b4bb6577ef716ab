import { describe, expect, it } from 'vitest';
import type { TaskName } from '../../src/tasks/types';
import { TaskQueue } from '../../src/worker/taskQueue';

const never = new AbortController().signal;

/** A queue with a clock of its own, and calls that end when the test says so. */
function open() {
  let time = 0;
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const queue = new TaskQueue(() => time);
  return {
    begun,
    queue,
    pass: (milliseconds: number) => void (time += milliseconds),
    call: (task: TaskName, name: string, signal = never) =>
      queue.add(task, signal, () => {
        begun.push(name);
        return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
      }),
    end: async (name: string) => {
      ends.get(name)!();
      await new Promise((resolve) => setTimeout(resolve));
    },
  };
}

describe('the queue of calls', () => {
  it('runs one at a time, calls of a kind in the order in which they came', async () => {
    const { begun, call, end, queue } = open();
    const first = call('textToImage', 'a');
    const second = call('textToImage', 'b');
    call('inpaint', 'c');
    expect(begun).toEqual(['a']);
    await end('a');
    expect(await first).toBe('a');
    expect(begun).toEqual(['a', 'b']);
    await end('b');
    expect(await second).toBe('b');
    await end('c');
    await queue.idle();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('lets a short call pass many long ones that wait, but not the one that runs', async () => {
    const { begun, call, end, pass } = open();
    for (const name of ['a', 'b', 'c', 'd']) void call('textToImage', name);
    pass(3000);
    void call('caption', 'text');
    pass(1000);
    void call('perplexity', 'score');
    expect(begun).toEqual(['a']);
    await end('a');
    expect(begun).toEqual(['a', 'score']);
    await end('score');
    expect(begun).toEqual(['a', 'score', 'text']);
    await end('text');
    expect(begun).toEqual(['a', 'score', 'text', 'b']);
  });

  it('does not let a long call starve behind short ones that never end', async () => {
    const { begun, call, end, pass } = open();
    void call('perplexity', '0');
    void call('textToImage', 'picture');
    for (let n = 0; n < 100 && !begun.includes('picture'); n++) {
      pass(1000);
      void call('perplexity', String(n + 1)); // there is always one that waits
      await end(String(n));
    }
    // Those that came within 20 seconds have passed it, and no other.
    expect(begun.indexOf('picture')).toBe(20);
  });

  it('forgets a call that is stopped while it waits, and rejects it at once', async () => {
    const { begun, call, end } = open();
    void call('caption', 'a');
    const controller = new AbortController();
    const stopped = call('caption', 'b', controller.signal);
    const after = call('caption', 'c');
    controller.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
    await expect(call('caption', 'd', controller.signal)).rejects.toThrow('enough');
    await end('a');
    await end('c');
    expect(await after).toBe('c');
    expect(begun).toEqual(['a', 'c']);
  });

  it('goes on behind a call that fails', async () => {
    const { call, end, queue } = open();
    const failing = queue.add('caption', never, () => Promise.reject(new Error('no luck')));
    const after = call('caption', 'b');
    await expect(failing).rejects.toThrow('no luck');
    await end('b');
    expect(await after).toBe('b');
  });
});
