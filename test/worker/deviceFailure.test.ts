import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DeviceFailure } from '../../src/worker/deviceFailure';

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
  lose({ reason: 'destroyed', message: '' }); // by us
  expect(await failure.race(Promise.resolve(2))).toBe(2);
});

it('ends the work when the device is lost, and refuses all later work', async () => {
  const { failure, lose } = fakeDevice();
  const work = failure.race(never());
  lose({ reason: 'unknown', message: 'driver reset' });
  const lost = { code: 'device-lost', message: expect.stringContaining('driver reset') };
  await expect(work).rejects.toMatchObject(lost);
  await expect(failure.race(Promise.resolve('wrong pixels'))).rejects.toMatchObject(lost);
});

it('names the loss, not the errors that follow from it', async () => {
  const { failure, lose } = fakeDevice();
  lose({ reason: 'unknown', message: '' });
  await expect(failure.race(Promise.reject(new Error('mapAsync failed')))).rejects.toMatchObject({
    code: 'device-lost',
  });
});

it('tells a full memory from a refused command; the latter counts only after loading', async () => {
  const loading = fakeDevice();
  loading.report({ message: 'shader' });
  expect(await loading.failure.race(Promise.resolve(1))).toBe(1);
  loading.report(new OutOfMemory());
  await expect(loading.failure.race(never())).rejects.toMatchObject({ code: 'out-of-memory' });

  const loaded = fakeDevice();
  loaded.failure.loaded();
  loaded.report({ message: 'binding 3' });
  await expect(loaded.failure.race(never())).rejects.toMatchObject({
    code: 'self-test',
    message: expect.stringContaining('binding 3'),
  });
});
