import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { downloadFile, downloadText, type FileOptions } from '../../src/store/download';
import { Host } from '../faults/host';

/*
 * One file from a real host that fails; the same through the whole store, over and over, is the fault suite's (test/faults).
 */
const FILE = Uint8Array.from({ length: 600_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);

let host: Host;
beforeAll(async () => {
  host = await Host.start();
});
afterEach(() => {
  vi.unstubAllGlobals();
  host.reset();
});
afterAll(() => host.stop());

/** The request headers of every try. */
function spyOnFetch(): (string | null)[] {
  const ranges: (string | null)[] = [];
  const real = fetch;
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    ranges.push(new Headers(init.headers).get('range'));
    return real(url, init);
  });
  return ranges;
}

async function get(options: Partial<FileOptions> = {}): Promise<Uint8Array> {
  host.files.set('file', FILE);
  const all = { label: 'the file', backOff: [1, 1, 1], stallMs: 2000, ...options };
  return new Uint8Array(await downloadFile(`${host.url}file`, FILE.byteLength, all));
}

describe('what has come is not asked for again', () => {
  it('asks for the rest after a cut connection', async () => {
    const ranges = spyOnFetch();
    host.faults.set('file', [{ type: 'cut', at: 200_000 }]);
    expect(await get()).toEqual(FILE);
    expect(ranges[0]).toBeNull();
    expect(ranges[1]).toMatch(/^bytes=\d+-$/);
    expect(ranges).toHaveLength(2);
  });

  it('continues what an earlier download left, and gives away what comes, in order', async () => {
    const parts: [number, number][] = [];
    const ranges = spyOnFetch();
    const beginning = [FILE.slice(0, 100).buffer, FILE.slice(100, 250_000).buffer];
    const onPart = async (offset: number, bytes: ArrayBuffer): Promise<void> => {
      parts.push([offset, bytes.byteLength]);
      expect(new Uint8Array(bytes)).toEqual(FILE.subarray(offset, offset + bytes.byteLength));
    };
    expect(await get({ beginning, onPart, partBytes: 100_000 })).toEqual(FILE);
    expect(ranges).toEqual(['bytes=250000-']);
    expect(parts.length).toBeGreaterThan(0);
    let end = 250_000;
    for (const [offset, length] of parts) {
      expect(offset).toBe(end);
      expect(length).toBeGreaterThanOrEqual(100_000);
      end += length;
    }
    expect(end).toBeLessThan(FILE.byteLength);
  });

  it('needs no host for a beginning that is the whole file', async () => {
    host.down = true;
    expect(await get({ beginning: [FILE.slice().buffer] })).toEqual(FILE);
  });

  it.each(['ignored', 'refused', 'dropped'] as const)('gets along with a host by which ranges are %s', async (how) => {
    host.ranges = how;
    host.faults.set('file', [{ type: 'cut', at: 200_000 }]);
    const counts: number[] = [];
    expect(await get({ onBytes: (bytes) => counts.push(bytes) })).toEqual(FILE);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it('does not give up a line that brings much with every try', async () => {
    const cut = { type: 'cut', at: 290_000 } as const;
    host.faults.set('file', [cut, cut]);
    expect(await get({ backOff: [1] })).toEqual(FILE);
    host.faults.set('file', [
      { ...cut, at: 10 },
      { ...cut, at: 10 },
    ]);
    await expect(get({ backOff: [1] })).rejects.toMatchObject({ code: 'download', details: { tries: 2 } });
  });
});

describe('a host that wants to be left alone', () => {
  it('is asked again when it said', async () => {
    host.faults.set('file', [{ type: 'status', status: 503, retryAfter: '1' }]);
    const started = performance.now();
    expect(await get()).toEqual(FILE);
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
  });

  it('is not waited for too long: the error says how long', async () => {
    host.faults.set('file', [{ type: 'status', status: 429, retryAfter: '3600' }]);
    await expect(get()).rejects.toMatchObject({
      code: 'download',
      message: expect.stringContaining('The host asks to wait 3600 s'),
      details: { tries: 1, retryAfterSeconds: 3600 },
    });
  });

  it('may name a date', async () => {
    const retryAfter = new Date(Date.now() + 7200_000).toUTCString();
    host.faults.set('file', [{ type: 'status', status: 503, retryAfter }]);
    const error = await get().catch((thrown: unknown) => thrown as { details: { retryAfterSeconds: number } });
    expect((error as { details: { retryAfterSeconds: number } }).details.retryAfterSeconds).toBeGreaterThan(7100);
  });

  it('can be left by cancelling while it is waited for', async () => {
    host.faults.set('file', [{ type: 'status', status: 503, retryAfter: '30' }]);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new DOMException('enough', 'AbortError')), 100);
    const started = performance.now();
    await expect(get({ signal: controller.signal })).rejects.toMatchObject({ message: 'enough' });
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

it('refuses a text that does not end', async () => {
  const mebibyte = new Uint8Array(1024 * 1024).fill(32);
  const endless = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(mebibyte) });
  vi.stubGlobal('fetch', async () => new Response(endless));
  await expect(downloadText('https://models.example/', { label: 'the manifest', backOff: [] })).rejects.toMatchObject({
    code: 'bad-model',
    message: expect.stringContaining('longer than 32 MiB'),
  });
});
