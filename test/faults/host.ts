import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname } from 'node:path';

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

/** What the host does instead of answering as it should. */
export type Fault =
  | { readonly type: 'status'; readonly status: number; readonly retryAfter?: string }
  /** A page of its own instead of the file; `typed`: it says so. */
  | { readonly type: 'html'; readonly typed: boolean }
  /** The file with bytes more or less; `declared`: Content-Length says how many there are. */
  | { readonly type: 'length'; readonly by: number; readonly declared: boolean }
  /** A bit is wrong, counted from the answer's first byte. */
  | { readonly type: 'flip'; readonly at: number }
  /** After so many bytes the connection ends, or nothing comes any more. */
  | { readonly type: 'cut'; readonly at: number }
  | { readonly type: 'stall'; readonly at: number }
  /** No answer. */
  | { readonly type: 'drop' };

/** How the host takes a request for a part of a file. */
export type Ranges = 'answered' | 'ignored' | 'refused' | 'dropped';

/** A static host on this machine that can be made to fail. */
export class Host {
  readonly url: string;
  /** By path, without the first slash. */
  readonly files = new Map<string, Uint8Array>();
  /** What goes wrong next, by path: one fault an answer. */
  readonly faults = new Map<string, Fault[]>();
  ranges: Ranges = 'answered';
  /** Answers nothing at all, but for the page at `site/`. */
  down = false;
  /** Bytes of models that were sent. */
  sent = 0;
  /** Bytes that a connection carries in a millisecond; a model is there at once by default. */
  bytesPerMillisecond = Infinity;
  /** Paths asked for, in order. */
  asked: string[] = [];
  #watchers: { readonly bytes: number; readonly call: () => void }[] = [];
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}/`;
  }

  static async start(): Promise<Host> {
    // One answer a connection: those of the round before are not mistaken for open ones.
    const server = createServer({ keepAlive: false });
    server.maxRequestsPerSocket = 1;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const host = new Host(server, (server.address() as { port: number }).port);
    server.on('request', (request, response) => host.#answer(request, response));
    return host;
  }

  /** Puts a model into a folder, in place of what was there. */
  serve(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
    for (const path of this.files.keys()) if (path.startsWith(`${folder}/`)) this.files.delete(path);
    for (const [name, bytes] of files) this.files.set(`${folder}/${name}`, bytes);
  }

  /** No files, no faults; connections that are still open end. */
  reset(): void {
    this.files.clear();
    this.faults.clear();
    this.ranges = 'answered';
    this.down = false;
    this.asked = [];
    this.sent = 0;
    for (const { call } of this.#watchers.splice(0)) call();
    this.bytesPerMillisecond = Infinity;
    this.#server.closeAllConnections();
  }

  /** Resolves when so many bytes of models were sent. */
  whenSent(bytes: number): Promise<void> {
    return new Promise((call) => {
      if (this.sent >= bytes) call();
      else this.#watchers.push({ bytes, call });
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url!, this.url).pathname.slice(1);
    this.asked.push(path);
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const fault = this.faults.get(path)?.shift();
    if ((this.down && !path.startsWith('site/')) || fault?.type === 'drop' || (range && this.ranges === 'dropped'))
      return void request.socket.destroy();
    const file = this.files.get(path);
    if (fault?.type === 'status' || !file) {
      const { status = 404, retryAfter } = fault?.type === 'status' ? fault : {};
      const headers = { 'content-type': 'text/html', ...(retryAfter ? { 'retry-after': retryAfter } : {}) };
      return void response.writeHead(status, headers).end(`<!doctype html><title>${status}</title>`);
    }
    if (fault?.type === 'html') {
      const type = fault.typed ? 'text/html; charset=utf-8' : 'application/octet-stream';
      return void response.writeHead(200, { 'content-type': type }).end('<!DOCTYPE html><title>Sign in</title>');
    }
    let from = 0;
    if (range && this.ranges !== 'ignored') {
      from = Number(range[1]);
      if (from >= file.byteLength || this.ranges === 'refused')
        return void response.writeHead(416, { 'content-range': `bytes */${file.byteLength}` }).end();
    }
    this.#send(request, response, file.subarray(from), from, file.byteLength, fault, TYPES[extname(path)]);
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    part: Uint8Array,
    from: number,
    total: number,
    fault: Fault | undefined,
    type = 'application/octet-stream',
  ): void {
    let body = part;
    if (fault?.type === 'flip') body = part.map((byte, i) => (i === fault.at % part.byteLength ? byte ^ 16 : byte));
    if (fault?.type === 'length') {
      const length = Math.max(0, part.byteLength + fault.by);
      body = new Uint8Array(length);
      body.set(part.subarray(0, length));
    }
    const length = fault?.type === 'length' && !fault.declared ? {} : { 'content-length': body.byteLength };
    const range = from > 0 ? { 'content-range': `bytes ${from}-${total - 1}/${total}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { 'content-type': type, ...length, ...range });
    if (fault?.type !== 'cut' && fault?.type !== 'stall') return void this.#pour(response, body, type);
    const end = fault.at % (body.byteLength + 1);
    response.write(body.subarray(0, end), () => {
      // What was written should arrive before the end does.
      if (fault.type === 'cut') setTimeout(() => request.socket.destroy(), 2);
    });
    response.flushHeaders();
  }

  /** A body at the line's speed; its pieces count once they were taken. */
  #pour(response: ServerResponse, body: Uint8Array, type: string, at = 0): void {
    const end = Math.min(body.byteLength, at + this.bytesPerMillisecond * 4);
    const piece = body.subarray(at, end);
    const next = (): void => {
      if (!Object.values(TYPES).includes(type)) this.#count(piece.byteLength);
      if (end === body.byteLength) response.end();
      else if (!response.destroyed) setTimeout(() => this.#pour(response, body, type, end), 4);
    };
    response.write(piece, next);
  }

  #count(bytes: number): void {
    this.sent += bytes;
    for (const { bytes: wanted, call } of this.#watchers) if (this.sent >= wanted) call();
    this.#watchers = this.#watchers.filter(({ bytes: wanted }) => this.sent < wanted);
  }
}
