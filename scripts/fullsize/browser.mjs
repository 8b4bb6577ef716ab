// A real Chromium with a lasting profile that loads a web model through the built library, watched from outside.
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize, sep } from 'node:path';
import { runnerImport } from 'vite';

const { launchPersistent } = (await runnerImport('./test/support/browser.ts')).module;

const TYPES = { html: 'text/html', js: 'text/javascript', json: 'application/json', bin: 'application/octet-stream' };
const SAMPLE_MS = 100;
/** Always the same: what a browser stores belongs to an origin, of which the port is a part. */
const PORT = 4199;

/** Serves the page, dist/lib and a web model; `shards` counts what was asked for of the last. */
async function serve(model) {
  const folders = { '/lib/': 'dist/lib', '/model/': model, '/': 'scripts/fullsize' };
  const counts = { shards: 0 };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const [prefix, folder] = Object.entries(folders).find(([start]) => path.startsWith(start));
    const file = normalize(join(folder, path === '/' ? 'page.html' : path.slice(prefix.length)));
    const found = file.startsWith(normalize(folder) + sep) && statSync(file, { throwIfNoEntry: false });
    if (!found || !found.isFile()) return response.writeHead(404).end();
    if (path.endsWith('.bin')) counts.shards++;
    response.writeHead(200, {
      'content-type': TYPES[file.split('.').at(-1)] ?? 'application/octet-stream',
      'content-length': found.size,
    });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(PORT, '127.0.0.1', resolve));
  return { server, counts, url: `http://localhost:${PORT}/` };
}

/**
 * Resident bytes of a process: its own (anonymous), those of memory that it shares with others (what is on its way to the GPU process),
 * and those of files (the program itself, which all of its processes share).
 */
function residentBytes(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const [own, shared, files] = ['RssAnon', 'RssShmem', 'RssFile'].map(
      (name) => 1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]),
    );
    return { own, shared, files };
  } catch {
    return { own: 0, shared: 0, files: 0 }; // it ended
  }
}

/** The processes of this Chromium, by what they say they are: { renderer: [pid, …], 'gpu-process': [pid] }. */
function processes() {
  const parents = new Map();
  const types = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      parents.set(pid, /PPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
      types.set(pid, /--type=([\w-]+)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1]);
    } catch {
      // It ended in between.
    }
  }
  const ours = (pid) => pid === String(process.pid) || (parents.has(pid) && ours(parents.get(pid)));
  const found = {};
  for (const [pid, type] of types) if (type && ours(pid)) (found[type] ??= []).push(pid);
  return found;
}

/** Asks the page's worker about its heap, array buffers included. (Playwright has no sessions for workers.) */
async function workerHeap(context, page) {
  const session = await context.newCDPSession(page);
  const waiting = new Map();
  let worker = null;
  let id = 0;
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') worker = sessionId;
  });
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id: answered, result } = JSON.parse(message);
    waiting.get(answered)?.(result);
    waiting.delete(answered);
  });
  await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const send = (method, params = {}) =>
    new Promise((resolve) => {
      if (!worker) return resolve(null);
      const message = JSON.stringify({ id: ++id, method, params });
      waiting.set(id, resolve);
      session.send('Target.sendMessageToTarget', { sessionId: worker, message }).catch(() => resolve(null));
    });
  return {
    async bytes() {
      const usage = await send('Runtime.getHeapUsage');
      return usage ? usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize : 0;
    },
    evaluate: (expression) => send('Runtime.evaluate', { expression, returnByValue: true }),
  };
}

/** Run in the worker: keeps how long the GPU worked on each submission, from the end of the one before. */
const WATCH_SUBMISSIONS = `
  self.submissionMs = [];
  {
    const { submit } = GPUQueue.prototype;
    let pending = 0;
    let last = 0;
    GPUQueue.prototype.submit = function (buffers) {
      if (pending++ === 0) last = performance.now();
      submit.call(this, buffers);
      this.onSubmittedWorkDone().then(() => {
        const now = performance.now();
        self.submissionMs.push(now - last);
        last = now;
        pending--;
      });
    };
  }`;

/**
 * Opens the page with a model beside it, loads the model, and hands both to `work`.
 * @param options `profile`: folder of the browser's profile; `model`: of the web model; `log`: takes lines
 * @param work gets the page and `submissions()`, milliseconds of every submission so far
 * @returns what was measured while loading, and what `work` returned
 */
export async function withModel({ profile, model, log }, work = async () => undefined) {
  const { server, counts, url } = await serve(model);
  const context = await launchPersistent(profile);
  let watching = true;
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    page.setDefaultTimeout(0);
    page.on('console', (message) => log(message.text()));
    page.on('pageerror', (error) => log(String(error)));
    const heap = await workerHeap(context, page);
    await page.goto(url);
    await page.waitForFunction(() => 'ready' in window);
    const renderers = processes()['renderer'] ?? [];
    const before = renderers.map(residentBytes);
    const peaks = { workerBytes: 0, renderer: { own: 0, shared: 0, files: 0, all: 0 }, gpuProcessBytes: 0 };
    let watched = false;
    const sample = async () => {
      renderers.forEach((pid, i) => {
        const now = residentBytes(pid);
        const growth = { all: 0 };
        for (const kind of ['own', 'shared', 'files']) growth.all += growth[kind] = now[kind] - before[i][kind];
        for (const kind of Object.keys(growth)) peaks.renderer[kind] = Math.max(peaks.renderer[kind], growth[kind]);
      });
      for (const { own, shared } of (processes()['gpu-process'] ?? []).map(residentBytes))
        peaks.gpuProcessBytes = Math.max(peaks.gpuProcessBytes, own + shared);
      peaks.workerBytes = Math.max(peaks.workerBytes, await heap.bytes());
      if (!watched && (await heap.evaluate(WATCH_SUBMISSIONS))) watched = true;
    };
    const watch = (async () => {
      while (watching) {
        await sample();
        await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      }
    })();
    const loaded = await page.evaluate(() => window.load());
    watching = false;
    await watch;
    const measured = { ...loaded, ...peaks, shardsAskedFor: counts.shards, browser: context.browser()?.version() };
    const submissions = async () => (await heap.evaluate('self.submissionMs')).result.value;
    return { loaded: measured, result: await work(page, submissions) };
  } finally {
    watching = false;
    await context.close();
    server.close();
  }
}
