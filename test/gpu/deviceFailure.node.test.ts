import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DeviceFailure } from '../../src/gpu/deviceFailure';

class OutOfMemory {
  readonly message = 'no room';
}

/** A device whose misfortunes a test decides. */
function fakeDevice() {
  const events = new EventTarget();
  let lose!: (info: { reason: string; message: string }) => void;
  const lost = new Promise((resolve) => {
    lose = resolve as typeof lose;
  });
  const device = { lost, addEventListener: events.addEventListener.bind(events) } as unknown as GPUDevice;
  const report = (error: unknown) => events.dispatchEvent(Object.assign(new Event('uncapturederror'), { error }));
  return { failure: new DeviceFailure(device), lose, report };
}

beforeEach(() => vi.stubGlobal('GPUOutOfMemoryError', OutOfMemory));
afterEach(() => vi.unstubAllGlobals());

const never = () => new Promise<never>(() => undefined);

it('lets results and errors through while the device is well', async () => {
  const { failure, lose } = fakeDevice();
  expect(await failure.race(Promise.resolve(1))).toBe(1);
  await expect(failure.race(Promise.reject(new Error('own')))).rejects.toThrow('own');
  failure.expectLoss();
  lose({ reason: 'destroyed', message: '' }); // by us
  expect(await failure.race(Promise.resolve(2))).toBe(2);
  expect(failure.lost).toBe(false);
});

it('ends the work when the device is lost, and refuses all later work', async () => {
  const { failure, lose } = fakeDevice();
  const work = failure.race(never());
  lose({ reason: 'unknown', message: 'driver reset' });
  const lost = { code: 'device-lost', message: expect.stringContaining('driver reset') };
  await expect(work).rejects.toMatchObject(lost);
  await expect(failure.race(Promise.resolve('wrong pixels'))).rejects.toMatchObject(lost);
  expect(failure.lost).toBe(true);
  expect(failure.reason).toBe('driver reset');
});

it('takes a device that somebody else destroyed for lost', async () => {
  const { failure, lose } = fakeDevice();
  const work = failure.race(never());
  lose({ reason: 'destroyed', message: '' });
  await expect(work).rejects.toMatchObject({ code: 'device-lost' });
});

it('names the loss, not the errors that follow from it, even where they come first', async () => {
  const after = fakeDevice();
  after.lose({ reason: 'unknown', message: '' });
  await expect(after.failure.race(Promise.reject(new Error('mapAsync failed')))).rejects.toMatchObject({
    code: 'device-lost',
  });
  const before = fakeDevice();
  setTimeout(() => before.lose({ reason: 'unknown', message: '' }), 10);
  await expect(before.failure.race(Promise.reject(new Error('mapAsync failed')))).rejects.toMatchObject({
    code: 'device-lost',
  });
});

it('does not wait for news of a loss when the work was stopped', async () => {
  vi.useFakeTimers(); // no timer fires
  try {
    const { failure } = fakeDevice();
    const reason = new DOMException('enough', 'AbortError');
    await expect(failure.race(Promise.reject(reason), AbortSignal.abort(reason))).rejects.toBe(reason);
  } finally {
    vi.useRealTimers();
  }
});

it('a full memory or a refused command ends the work that is under way, and no later one', async () => {
  const { failure, report } = fakeDevice();
  const first = failure.race(never());
  report(new OutOfMemory());
  await expect(first).rejects.toMatchObject({
    code: 'out-of-memory',
    message: expect.stringMatching(/no room.*fewer/),
  });
  expect(await failure.race(Promise.resolve(1))).toBe(1);
  const second = failure.race(never());
  report({ message: 'binding 3' });
  await expect(second).rejects.toMatchObject({ code: 'self-test', message: expect.stringContaining('binding 3') });
  report({ message: 'between two works' });
  expect(await failure.race(Promise.resolve(2))).toBe(2);
});
