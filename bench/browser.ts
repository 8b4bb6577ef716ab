import { createReadStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { build } from 'vite';
import { print } from '../cli/support/output';
import { RudolphError } from '../src/errors';
import { launchBrowser } from '../test/support/browser';
import { parseCommandLine, peerModelsOf, USAGE } from './cliOptions';
import { commitOf, machine, repositoryRoot } from './machine';
import type { PageInput } from './page/page';
import { EXPORTED, preparePeers } from './peer/prepare';
import { report } from './report';

const log = (line: string): void => void process.stderr.write(`${line}\n`);

/** `npm run bench:browser`: builds the page, serves it, and runs the bench in the Chromium of the tests (SwiftShader). */
async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return print(USAGE);
  const { options, json } = parseCommandLine(args, ['webgpu', 'wasm']);
  const root = repositoryRoot();
  const models = peerModelsOf(options, true);
  if (models) preparePeers(root, models, log);
  const site = join(root, 'dist', 'bench-page');
  await build({
    configFile: false,
    root: join(root, 'bench', 'page'),
    publicDir: false,
    logLevel: 'warn',
    build: { outDir: site, emptyOutDir: true, target: 'es2022', minify: false },
  });
  const server = await serve({
    '/models/': join(root, 'public', 'models'),
    '/peer/': join(root, EXPORTED),
    '/ort/': join(root, 'bench', 'peer', 'node_modules', 'onnxruntime-web', 'dist'),
    '/': site,
  });
  const browser = await launchBrowser();
  try {
    const { port } = server.address() as { port: number };
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on('console', (message) => log(message.text()));
    page.on('pageerror', (error) => log(String(error)));
    await page.goto(`http://localhost:${port}/`);
    await page.waitForFunction(() => 'runBench' in window);
    const input: PageInput = {
      options,
      conditions: { runtime: `Chromium ${browser.version()}`, machine: machine(), commit: commitOf(root) },
      peer: models !== null,
    };
    const results = await page.evaluate((input) => window.runBench(input), input);
    if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 1)}\n`);
    print(report(results));
  } finally {
    await browser.close();
    server.close();
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Serves folders under prefixes, the longest first, on a free port; isolated, so that WebAssembly may have threads. */
async function serve(folders: Readonly<Record<string, string>>): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    const [prefix, folder] = Object.entries(folders).find(([start]) => path.startsWith(start))!;
    const file = normalize(join(folder, path === '/' ? 'index.html' : path.slice(prefix.length)));
    const found = file.startsWith(folder + sep) && (await stat(file).catch(() => null));
    if (!found || !found.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-length': found.size,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 1;
  log(`bench: ${error instanceof RudolphError ? error.message : String((error as Error).stack)}`);
}
