import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';
import { inject } from 'vitest';

/** What the page must get along with: nothing from anywhere else, no inline code, no eval, not even fonts. */
const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'";

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

/** What hosts compress. */
const COMPRESSED = /\.(?:html|js|css|svg|json|webmanifest)$/;

/** What the host does instead of sending a model's file; `off`: it answers nothing at all, the page neither. */
export type Fault = 'missing' | 'html' | 'damaged' | 'down' | 'slow' | 'off';

/** The built page behind a strict Content-Security-Policy, and models that can be made to fail. */
export interface Site {
  /** Of the page with the model that it opens by itself. */
  readonly home: string;
  /** Of the page, with `?model=` of the model at `models/<name>/`. */
  address(model: string): string;
  /** Serves files at `models/<name>/`; replaces what was there. */
  setModel(name: string, files: ReadonlyMap<string, Uint8Array>): void;
  /** The host has a new version of the page: the same files, but for a mark in the page's head, of which this is the selector. */
  renew(): string;
  /** Every file of all models, or one, fails from now on. */
  fail(fault: Fault | null, file?: string): void;
  /** Requests for one of the page's files wait until the returned function is called. */
  hold(path: string): () => void;
  /** The models' files asked for since the last call. */
  takeRequests(): string[];
  close(): Promise<void>;
}

/** Serves the built page. */
export async function serveSite(): Promise<Site> {
  const folder = inject('site');
  const models = new Map<string, ReadonlyMap<string, Uint8Array>>();
  let requests: string[] = [];
  let fault: Fault | null = null;
  let faulty: string | undefined;
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  const worker = readFileSync(join(folder, 'sw.js'), 'utf8');
  let renewals = 0;
  /** Files of a new version, by path. */
  const renewed = new Map<string, string>();
  const held = new Map<string, Promise<void>>();

  const server = createServer(async (request, response) => {
    if (fault === 'off') return void request.socket.destroy();
    const path = decodeURIComponent(new URL(request.url!, 'http://x').pathname);
    const model = /^\/models\/([^/]+)\/([^/]+)$/.exec(path);
    const bytes = model ? models.get(model[1]!)?.get(model[2]!) : undefined;
    if (bytes) {
      const file = model![2]!;
      requests.push(file);
      const now = faulty === undefined || faulty === file ? fault : null;
      if (now === 'down') return void request.socket.destroy();
      if (now === 'missing') return void response.writeHead(404).end();
      if (now === 'html') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>');
      const body = now === 'damaged' ? bytes.map((byte, i) => (i === 5 ? byte ^ 255 : byte)) : bytes;
      response.writeHead(200, { 'content-length': body.byteLength });
      if (now === 'slow') return void response.write(body.subarray(0, body.byteLength >> 1)); // and no more
      return void response.end(body);
    }
    await held.get(path);
    try {
      const name = path === '/' ? '/index.html' : path;
      const file = join(folder, normalize(name));
      if (!statSync(file).isFile()) throw new Error('no file');
      const whole = Buffer.from(renewed.get(name) ?? readFileSync(file));
      const small = COMPRESSED.test(name);
      const body = small ? gzipSync(whole) : whole;
      response
        .writeHead(200, {
          'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
          'content-length': body.byteLength,
          'content-security-policy': POLICY,
          ...(small ? { 'content-encoding': 'gzip' } : {}),
        })
        .end(body);
    } catch {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as { port: number };
  return {
    home: `http://localhost:${port}/`,
    address: (model) => `http://localhost:${port}/?model=models/${model}/`,
    setModel: (name, files) => void models.set(name, files),
    renew: () => {
      renewals++;
      const script = worker.replace(/(url:"index.html",revision:")\w+/, `$1renewed${renewals}`);
      if (script === worker) throw new Error('the service worker does not list index.html as expected');
      const mark = `meta[name=renewed][content="${renewals}"]`;
      const head = `<head><meta name="renewed" content="${renewals}" />`;
      renewed.set('/index.html', page.replace('<head>', head)).set('/sw.js', script);
      return mark;
    },
    fail: (what, file) => {
      fault = what;
      faulty = file;
    },
    hold: (path) => {
      let release = (): void => undefined;
      held.set(path, new Promise((resolve) => (release = resolve)));
      return () => {
        held.delete(path);
        release();
      };
    },
    takeRequests: () => {
      const taken = requests;
      requests = [];
      return taken;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
