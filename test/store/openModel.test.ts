// oxlint-disable-next-line import/no-unassigned-import -- it defines indexedDB
import 'fake-indexeddb/auto';
import { createStore } from 'idb-keyval';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Manifest } from '../../src/format/manifest';
import { sha256 } from '../../src/format/sha256';
import type { Notice } from '../../src/notice';
import { type Databases, isIntact, readShard, shardKeys, writeShard } from '../../src/store/databases';
import { manifestUrl, openModel } from '../../src/store/openModel';
import type { DownloadProgress } from '../../src/store/storedModel';
import { deleteModel, listModels } from '../../src/store/storedModels';
import { type WebModel, webModel } from '../support/webModel';

/*
 * A real server and a fake IndexedDB. Each test says what the host does wrong; the control case is the first.
 */
type Answer = (request: IncomingMessage, response: ServerResponse, bytes: Uint8Array) => void;

let server: Server;
let url: string;
let manifest: Manifest;
let files: WebModel['files'];
/** Paths asked for, in order. */
let asked: string[];
/** What the host does instead of answering with the file; once per entry of the list, then normally. */
let faults: Map<string, Answer[]>;
let databases: Databases;
let progress: DownloadProgress[];
let notices: Notice[];
let count = 0;

beforeEach(async () => {
  ({ manifest, files } = await smallModel());
  asked = [];
  faults = new Map();
  progress = [];
  notices = [];
  count++;
  databases = {
    shards: createStore(`shards-${count}`, 'shards'),
    manifests: createStore(`manifests-${count}`, 'manifests'),
  };
  server = createServer((request, response) => {
    const name = request.url!.slice(1);
    asked.push(name);
    const bytes = files.get(name);
    const fault = faults.get(name)?.shift();
    if (fault) fault(request, response, bytes ?? new Uint8Array());
    else if (bytes) response.writeHead(200, { 'content-length': bytes.byteLength }).end(bytes);
    else response.writeHead(404, { 'content-type': 'text/html' }).end('<!doctype html><title>404</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
});
afterEach(() => close());

const close = () =>
  new Promise<void>((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

const open = (options: Parameters<typeof openModel>[1] = {}) =>
  openModel(url, {
    databases,
    backOff: [1, 1],
    onProgress: (event) => progress.push(event),
    onNotice: (notice) => notices.push(notice),
    ...options,
  });

const shards = () => manifest.components.transformer!.shards;

async function readAll(options: Parameters<typeof openModel>[1] = {}): Promise<void> {
  const source = await open(options);
  source.expect(['tokenizer', 'transformer']);
  for (const shard of [...manifest.components.tokenizer!.shards, ...shards()]) {
    const bytes = await source.shard(shard, options.signal);
    expect(await sha256(bytes)).toBe(shard.sha256);
  }
}

describe('from the network, then from storage', () => {
  it('reads every shard once, tells progress in bytes, and needs no host the second time', async () => {
    await readAll();
    expect(asked).toEqual([
      'rudolph.json',
      ...[...manifest.components.tokenizer!.shards, ...shards()].map(({ file }) => file),
    ]);
    const total = manifest.components.tokenizer!.byteLength + manifest.components.transformer!.byteLength;
    expect(progress.at(-1)).toEqual({ loadedBytes: total, totalBytes: total, fromCache: false });
    const loaded = progress.map(({ loadedBytes }) => loadedBytes);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    await close();
    progress = [];
    await readAll();
    expect(progress.at(-1)).toEqual({ loadedBytes: total, totalBytes: total, fromCache: true });
    expect(notices).toEqual([]);
    server.listen(0);
  });

  it('continues an interrupted download with the shards that are missing', async () => {
    const [first, , third, fourth] = shards();
    faults.set(third!.file, Array(3).fill(status(503)));
    await expect(readAll()).rejects.toMatchObject({ code: 'download' });
    // What was fetched ahead goes on after the failure, and is stored.
    await vi.waitFor(async () => expect(await readShard(databases, fourth!.sha256)).toBeDefined(), 10_000);
    asked = [];
    await readAll();
    expect(asked).toEqual(['rudolph.json', third!.file]);
    expect(await readShard(databases, first!.sha256)).toBeDefined();
  });

  it('fetches a damaged stored shard anew and says so', async () => {
    await readAll();
    const [shard] = shards();
    await writeShard(databases, shard!.sha256, new ArrayBuffer(shard!.byteLength));
    asked = [];
    await readAll();
    expect(asked).toEqual(['rudolph.json', shard!.file]);
    expect(notices).toEqual([
      {
        code: 'shard-damaged',
        message: expect.stringContaining(`shard 2 of 5 (${shard!.file}) was damaged`),
        details: { file: shard!.file },
      },
    ]);
    expect(await isIntact(await readShard(databases, shard!.sha256), shard!.sha256)).toBe(true);
  });

  it('runs without storage', async () => {
    await readAll({ databases: null });
    await readAll({ databases: null });
    expect(asked.filter((name) => name === shards()[0]!.file)).toHaveLength(2);
  });

  it('runs on without storing when the quota is full, and says so once', async () => {
    const full: Databases = {
      ...databases,
      shards: (mode, callback) =>
        mode === 'readwrite'
          ? Promise.reject(new DOMException('full', 'QuotaExceededError'))
          : databases.shards(mode, callback),
    };
    await readAll({ databases: full });
    expect(notices).toMatchObject([{ code: 'storage-full', message: expect.stringContaining('its storage is full') }]);
    expect((await shardKeys(databases)).size).toBe(0);
  });

  it('runs on where IndexedDB refuses to open', async () => {
    const refuse = () => Promise.reject(new DOMException('private', 'InvalidStateError'));
    await readAll({ databases: { shards: refuse, manifests: refuse } });
    expect(notices).toMatchObject([{ code: 'storage-off', message: expect.stringContaining('stores nothing') }]);
  });
});

describe('a host that fails for a while', () => {
  it.each([
    ['503', status(503)],
    ['429', status(429)],
    ['a dropped connection', drop],
    ['a connection cut in the middle', cut],
  ])('%s: tries again', async (_, fault) => {
    const [shard] = shards();
    faults.set(shard!.file, [fault, fault]);
    await readAll();
    expect(asked.filter((name) => name === shard!.file)).toHaveLength(3);
  });

  it.each([
    ['503', status(503), 'the host answered 503'],
    ['a dropped connection', drop, 'the host did not answer'],
    ['a connection cut in the middle', cut, 'the connection broke'],
  ])('%s: gives up after three tries, naming shard and file', async (_, fault, text) => {
    const [, shard] = shards();
    faults.set(shard!.file, Array(9).fill(fault));
    const error = await readAll().catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'download', details: { tries: 3 } });
    expect((error as Error).message).toContain(`shard 3 of 5 (${shard!.file})`);
    expect((error as Error).message).toContain(text);
  });

  it('tries again when the host stops sending', async () => {
    const { downloadFile } = await import('../../src/store/download');
    const [shard] = shards();
    faults.set(shard!.file, [
      (_request, response, bytes) =>
        void response.writeHead(200, { 'content-length': bytes.byteLength }).write(bytes.subarray(0, 10)),
    ]);
    const bytes = await downloadFile(url + shard!.file, shard!.byteLength, { label: 'x', backOff: [1], stallMs: 100 });
    expect(bytes.byteLength).toBe(shard!.byteLength);
  });
});

describe('a host with the wrong file', () => {
  const reject = async (fault: Answer) => {
    const [shard] = shards();
    faults.set(shard!.file, Array(9).fill(fault));
    const error = (await readAll().catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toContain(`shard 2 of 5 (${shard!.file})`);
    expect(await readShard(databases, shard!.sha256)).toBeUndefined();
    return { error, tries: asked.filter((name) => name === shard!.file).length };
  };

  it('404: one try, and the message says where', async () => {
    const { error, tries } = await reject(status(404));
    expect(error).toMatchObject({ code: 'download', details: { status: 404 } });
    expect(error.message).toContain('answered 404');
    expect(tries).toBe(1);
  });

  it('an HTML page with status 200', async () => {
    const { error, tries } = await reject((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<h1>sign in</h1>'),
    );
    expect(error).toMatchObject({ code: 'download' });
    expect(error.message).toContain('HTML page');
    expect(tries).toBe(1);
  });

  it('an HTML page that claims to be a file', async () => {
    const { error } = await reject((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end('<!DOCTYPE html><p>'),
    );
    expect(error.message).toContain('HTML page');
  });

  it('too long', async () => {
    const { error } = await reject((_request, response, bytes) =>
      response.writeHead(200).end(Buffer.concat([bytes, bytes])),
    );
    expect(error).toMatchObject({ code: 'bad-model' });
    expect(error.message).toContain(`more than ${shards()[0]!.byteLength} bytes`);
  });

  it('too short', async () => {
    const { error } = await reject((_request, response, bytes) =>
      response.writeHead(200, { 'content-length': 100 }).end(bytes.subarray(0, 100)),
    );
    expect(error).toMatchObject({ code: 'bad-model' });
    expect(error.message).toContain('100 bytes on the host');
  });

  it('other bytes: a second try past the HTTP cache, then an error', async () => {
    const { error, tries } = await reject((_request, response, bytes) =>
      response.writeHead(200).end(bytes.map((byte) => byte ^ 1)),
    );
    expect(error).toMatchObject({ code: 'bad-model' });
    expect(error.message).toContain('SHA-256 differs');
    expect(tries).toBe(2);
  });
});

describe('the manifest', () => {
  it('comes from storage when the host does not answer or fails', async () => {
    await readAll();
    faults.set('rudolph.json', [
      drop,
      status(502),
      (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('sign in'),
    ]);
    for (let i = 0; i < 3; i++) expect((await open()).manifest.name).toBe('small');
  });

  it('comes from storage without a request when the browser knows that there is no network', async () => {
    await readAll();
    asked = [];
    vi.stubGlobal('navigator', { onLine: false });
    const source = await open();
    vi.unstubAllGlobals();
    expect(source.manifest.name).toBe('small');
    expect(asked).toEqual([]);
  });

  it('does not, when the host says that it is gone', async () => {
    await readAll();
    files.delete('rudolph.json');
    await expect(open()).rejects.toMatchObject({ code: 'download', details: { status: 404 } });
  });

  it('of a newer format is refused with advice', async () => {
    files.set('rudolph.json', new TextEncoder().encode(JSON.stringify({ ...manifest, formatVersion: 99 })));
    await expect(open()).rejects.toMatchObject({
      code: 'bad-model',
      message: expect.stringMatching(/format version 99.*update/),
    });
  });

  it.each([
    ['https://x.org/m', 'https://x.org/m/rudolph.json'],
    ['https://x.org/m/', 'https://x.org/m/rudolph.json'],
    ['https://x.org/m/other.json?v=2#top', 'https://x.org/m/other.json?v=2'],
  ])('%s is found at %s', (given, found) => expect(manifestUrl(given)).toBe(found));

  it('of no address is refused', () => expect(() => manifestUrl('no address')).toThrow(/no address/));
});

describe('cancelling', () => {
  it('ends a download at once with the reason of the signal; the next load is whole', async () => {
    const [shard] = shards();
    const controller = new AbortController();
    faults.set(shard!.file, [
      (_request, response, bytes) => {
        response.writeHead(200, { 'content-length': bytes.byteLength }).write(bytes.subarray(0, 10));
        setTimeout(() => controller.abort(new DOMException('enough', 'AbortError')), 20);
      },
    ]);
    const started = performance.now();
    await expect(readAll({ signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
      message: 'enough',
    });
    expect(performance.now() - started).toBeLessThan(1000);
    await readAll();
  });
});

describe('what is stored', () => {
  it('is listed with its size and can be removed, shared shards excepted', async () => {
    await readAll();
    const other = {
      ...manifest,
      name: 'other',
      components: { tokenizer: manifest.components.tokenizer },
      tensors: manifest.tensors.filter(({ component }) => component === 'tokenizer'),
    };
    files.set('other.json', new TextEncoder().encode(JSON.stringify(other)));
    await openModel(`${url}other.json`, { databases });
    const total = Object.values(manifest.components).reduce((sum, component) => sum + component!.byteLength, 0);
    const list = await listModels(databases);
    expect(
      list
        .map(({ name, byteLength, storedBytes }) => ({ name, byteLength, storedBytes }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    ).toEqual([
      { name: 'other', byteLength: 4096, storedBytes: 4096 },
      { name: 'small', byteLength: total, storedBytes: total },
    ]);
    await deleteModel(url, databases);
    expect((await listModels(databases)).map(({ name }) => name)).toEqual(['other']);
    expect(await shardKeys(databases)).toEqual(
      new Set(manifest.components.tokenizer!.shards.map(({ sha256 }) => sha256)),
    );
  });
});

function status(code: number): Answer {
  return (_request, response) => response.writeHead(code).end('no');
}
function drop(request: IncomingMessage): void {
  request.socket.destroy();
}
function cut(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void {
  response.writeHead(200, { 'content-length': bytes.byteLength });
  response.write(bytes.subarray(0, 100), () => setTimeout(() => request.socket.destroy(), 5));
}

/** A tokenizer of one shard and a transformer of four. */
function smallModel(): Promise<WebModel> {
  const shards = (lengths: readonly number[], seed: number) =>
    lengths.map((length, k) => Uint8Array.from({ length }, (_, i) => (i * 7 + k * 31 + seed) & 255));
  return webModel('small', {
    tokenizer: shards([4096], 1),
    transformer: shards([262144, 262144, 262144, 1024], 2),
  });
}
