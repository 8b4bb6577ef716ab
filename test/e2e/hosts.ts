import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
};

/** A host of its own origin. */
export interface Host {
  /** Without a slash at the end. */
  readonly origin: string;
  /** Files by path, e.g. `/index.html`; read at every request. */
  readonly files: Map<string, string | Uint8Array>;
  /** Folders by path, e.g. `/lib/`. */
  readonly folders: Map<string, string>;
  /** Sent with every answer. */
  headers: Readonly<Record<string, string>>;
  /** Paths asked for since the last call. */
  takeRequests(): string[];
  close(): Promise<void>;
}

/** Serves files on a free port. */
export async function startHost(): Promise<Host> {
  const files: Host['files'] = new Map();
  const folders: Host['folders'] = new Map();
  let requests: string[] = [];
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url!, 'http://x').pathname));
    requests.push(path);
    const body = files.get(path) ?? fromFolder(folders, path);
    const type = TYPES[extname(path)] ?? (path.endsWith('/') ? TYPES['.html']! : 'application/octet-stream');
    if (body === undefined) response.writeHead(404, { ...host.headers, 'content-type': 'text/plain' }).end('not found');
    else response.writeHead(200, { ...host.headers, 'content-type': type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const host: Host = {
    origin: `http://localhost:${(server.address() as { port: number }).port}`,
    files,
    folders,
    headers: {},
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
  return host;
}

function fromFolder(folders: ReadonlyMap<string, string>, path: string): Uint8Array | undefined {
  for (const [start, folder] of folders) {
    const file = join(folder, path.slice(start.length));
    if (path.startsWith(start) && existsSync(file) && statSync(file).isFile()) return readFileSync(file);
  }
  return undefined;
}
