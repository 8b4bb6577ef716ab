import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { memorySource } from '../../src/format/byteSource';
import { readSafetensorsIndex } from '../../src/format/safetensors';
import { convertTiny, FOLDER } from '../convert/tiny';
import { launchBrowser } from '../support/browser';
import { chromiumLaunch } from '../support/chromium';
import type { Random } from '../support/random';
import { type WebModel, webModel } from '../support/webModel';
import { Host } from './host';
import type { DrawResult } from './page/page';
import type { ReadResult } from './page/storeWorker';
import type { Kind, Report, Stage } from './suite';

/** Of the store's own model, in proportion to the real one. */
export const SHARD_BYTES = 1024 * 1024;
export const PART_BYTES = SHARD_BYTES / 8;
/** Of each connection: everything takes about half a second. */
const BYTES_PER_MILLISECOND = 3000;

/** What the tiny reference model draws greedily, as upstream does. */
interface Drawing {
  readonly prompt: string;
  readonly codebook: readonly number[];
}

/** A Chromium of its own with a profile on the disk, which can be killed like any program. */
export class KillableBrowser {
  readonly #process: ChildProcess;
  readonly context: BrowserContext;

  private constructor(process: ChildProcess, context: BrowserContext) {
    this.#process = process;
    this.context = context;
  }

  static async start(profile: string): Promise<KillableBrowser> {
    const { executablePath, args, env } = chromiumLaunch();
    const own = ['--headless=new', `--user-data-dir=${profile}`, '--remote-debugging-port=0', '--no-first-run'];
    // A group of its own, to be ended as a whole.
    const child = spawn(executablePath, [...args, ...own, 'about:blank'], { env, detached: true, stdio: 'pipe' });
    const address = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
        if (found) resolve(found);
      });
      child.on('exit', () => reject(new Error(`Chromium did not start: ${said.slice(-500)}`)));
    });
    const browser = await chromium.connectOverCDP(address);
    return new KillableBrowser(child, browser.contexts()[0]!);
  }

  /** SIGKILL to all its processes. */
  async kill(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    process.kill(-pid, 'SIGKILL');
    await gone;
  }
}

/** A host with models, and a fresh Chromium profile with pages. */
export class BrowserWorld {
  readonly random: Random;
  readonly report: Report;
  readonly host: Host;
  readonly model: WebModel;
  readonly drawing: Drawing;
  context: BrowserContext;
  /** Loaded with the library when the round checks itself, too. */
  checksEngine = false;
  damages = false;
  /** Bytes that the last read reported: what was in transit when its page died does not count. */
  loaded = 0;
  readonly #profile: string;
  #killable: KillableBrowser | null = null;

  constructor(round: { random: Random; report: Report; context: BrowserContext }, stage: StageParts) {
    this.random = round.random;
    this.report = round.report;
    this.context = round.context;
    this.host = stage.host;
    this.model = stage.model;
    this.drawing = stage.drawing;
    this.#profile = mkdtempSync(join(tmpdir(), 'rudolph-profile-'));
    this.host.bytesPerMillisecond = BYTES_PER_MILLISECOND;
    this.host.serve('site', stage.site);
    this.host.serve('model', stage.model.files);
    this.host.serve('tiny', stage.tiny);
  }

  readonly urlOf = (model: 'model' | 'tiny' | 'full'): string => `${this.host.url}${model}/rudolph.json`;

  bytesOf(files: ReadonlyMap<string, Uint8Array> = this.model.files): number {
    return [...files].reduce((sum, [name, { byteLength }]) => sum + (name.endsWith('.bin') ? byteLength : 0), 0);
  }

  expect(promise: boolean, what: string): void {
    if (!promise) this.report('broken', what);
  }

  async newPage(): Promise<Page> {
    const page = await this.context.newPage();
    await page.exposeFunction('reportLoaded', (bytes: number) => (this.loaded = bytes));
    await page.goto(`${this.host.url}site/index.html`);
    await page.waitForFunction(() => 'faults' in window);
    return page;
  }

  /** From now on the round has a browser with a profile on the disk. `context` is that one's. */
  async startKillable(): Promise<void> {
    await this.context.close();
    this.#killable = await KillableBrowser.start(this.#profile);
    this.context = this.#killable.context;
  }

  async killBrowser(): Promise<void> {
    await this.#killable!.kill();
    this.#killable = await KillableBrowser.start(this.#profile);
    this.context = this.#killable.context;
  }

  /** Reads the store's own model in a worker. Null: the worker or its page ended before. */
  async read(page: Page, worker = 'worker', settings: { partBytes?: number } = {}): Promise<ReadResult | null> {
    return this.readFrom('model', page, worker, { partBytes: PART_BYTES, ...settings });
  }

  async readFrom(
    model: 'model' | 'full',
    page: Page,
    worker: string,
    settings: { partBytes?: number },
  ): Promise<ReadResult | null> {
    let ended = (): void => undefined;
    const lost = new Promise<null>((resolve) => (ended = () => resolve(null)));
    page.once('close', ended);
    page.once('crash', ended);
    const reading = page
      .evaluate(([name, url, how]) => window.faults.read(name, url, how), [
        worker,
        this.urlOf(model),
        settings,
      ] as const)
      .catch((error: unknown) => {
        if (page.isClosed() || /closed|crashed|destroyed/i.test(String(error))) return null;
        throw error;
      });
    const result = await Promise.race([reading, lost]);
    if (result && result.problem?.code === null)
      this.report('broken', `an error without a type: ${result.problem.message}`);
    for (const { file, sha256 } of result?.shards ?? [])
      if (file !== `${sha256}.bin`) this.report('wrong', `${file} has other bytes`);
    return result;
  }

  /** A read that has to succeed, with all shards. */
  async mustRead(page: Page, worker = 'worker'): Promise<void> {
    const result = await this.read(page, worker);
    this.expectRead(result);
  }

  expectRead(result: ReadResult | null): void {
    if (!result || result.problem)
      return this.report('broken', `a read failed: ${result?.problem?.message ?? 'it ended'}`);
    const expected = Object.values(this.model.manifest.components).flatMap(({ shards }) => shards);
    this.expect(result.shards.length === expected.length, `${result.shards.length} of ${expected.length} shards came`);
  }

  /** Loads the tiny model with the whole library, and draws: the tokens are upstream's. @param mayFail code of an error that may come */
  async mustDraw(page: Page, mayFail?: string): Promise<void> {
    const result = await this.draw(page);
    if (result.problem && result.problem.code === mayFail) return;
    if (result.problem) return this.report('broken', `drawing failed: ${result.problem.message}`);
    if (JSON.stringify(result.codebook) !== JSON.stringify(this.drawing.codebook))
      this.report('wrong', `the tokens are ${result.codebook.join(' ')}, expected ${this.drawing.codebook.join(' ')}`);
  }

  async draw(page: Page): Promise<DrawResult> {
    const { prompt } = this.drawing;
    return page.evaluate(([url, text]) => window.faults.draw(url, text), [this.urlOf('tiny'), prompt] as const);
  }

  async checkStorage(page: Page): Promise<void> {
    const { damaged } = await page.evaluate(() => window.faults.scan());
    for (const key of damaged) this.report('damaged', `the stored shard ${key}`);
  }

  /** After the round, with nothing wrong any more: the storage, a load, and one from storage alone. */
  async check(): Promise<void> {
    this.host.faults.clear();
    this.host.bytesPerMillisecond = Infinity;
    const page = await this.newPage();
    if (!this.damages) await this.checkStorage(page);
    const load = (worker: string): Promise<void> =>
      this.checksEngine ? this.mustDraw(page) : this.mustRead(page, worker);
    await load('check');
    await this.checkStorage(page);
    this.host.down = true;
    this.host.asked = [];
    await load('offline');
    const asked = this.host.asked.filter((path) => path.endsWith('.bin'));
    this.expect(asked.length === 0, `with everything stored, ${asked.length} shards were asked for`);
    const locks = await page.evaluate(async () => {
      window.faults.end('check');
      window.faults.end('offline');
      return ((await navigator.locks.query()).held ?? []).map(({ name }) => name ?? '');
    });
    const held = locks.filter((name) => name.startsWith('rudolph-shard') || name === 'rudolph-models');
    this.expect(held.length === 0, `locks are held: ${held.join(', ')}`);
  }

  async end(): Promise<void> {
    if (this.#killable) await this.#killable.kill();
    else await this.context.close();
    rmSync(this.#profile, { recursive: true, force: true });
    this.host.reset();
  }
}

interface StageParts {
  readonly host: Host;
  readonly site: ReadonlyMap<string, Uint8Array>;
  readonly model: WebModel;
  readonly tiny: ReadonlyMap<string, Uint8Array>;
  readonly drawing: Drawing;
}

/** Rounds in a real Chromium against a real local host. */
export class BrowserStage implements Stage<BrowserWorld> {
  readonly kinds: readonly Kind<BrowserWorld>[];
  readonly deadline = 120_000;
  readonly #browser: Browser;
  readonly #parts: StageParts;

  private constructor(kinds: readonly Kind<BrowserWorld>[], browser: Browser, parts: StageParts) {
    this.kinds = kinds;
    this.#browser = browser;
    this.#parts = parts;
  }

  static async start(kinds: readonly Kind<BrowserWorld>[], random: Random): Promise<BrowserStage> {
    const shard = (): Uint8Array<ArrayBuffer> => random.bytes(SHARD_BYTES);
    const [browser, host, site, model, { files: tiny }, drawing] = await Promise.all([
      launchBrowser(),
      Host.start(),
      buildPage(),
      webModel('model', {
        tokenizer: [random.bytes(4096)],
        transformer: [shard(), shard(), random.bytes(SHARD_BYTES / 2)],
      }),
      convertTiny(),
      expectedDrawing(),
    ]);
    return new BrowserStage(kinds, browser, { host, site, model, tiny, drawing });
  }

  async begin(random: Random, report: Report): Promise<BrowserWorld> {
    return new BrowserWorld({ random, report, context: await this.#browser.newContext() }, this.#parts);
  }

  check(world: BrowserWorld): Promise<void> {
    return world.check();
  }

  end(world: BrowserWorld): Promise<void> {
    return world.end();
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.#parts.host.stop();
  }
}

/** The page with the library and its workers. */
async function buildPage(): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = mkdtempSync(join(tmpdir(), 'rudolph-faults-'));
  try {
    await build({
      configFile: false,
      logLevel: 'error',
      publicDir: false,
      base: './',
      worker: { format: 'es', rolldownOptions: { output: { entryFileNames: '[name].js' } } },
      build: {
        outDir: folder,
        target: 'es2022',
        minify: false,
        lib: { entry: { page: 'test/faults/page/page.ts' }, formats: ['es'] },
      },
    });
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
    const page =
      '<!doctype html><meta charset="utf-8" /><title>faults</title><script type="module" src="page.js"></script>';
    return new Map<string, Uint8Array>([
      ...files.map((name) => [name, readFileSync(join(folder, name))] as const),
      ['index.html', new TextEncoder().encode(page)],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function expectedDrawing(): Promise<Drawing> {
  const { greedy } = JSON.parse(readFileSync(`${FOLDER}/cases.json`, 'utf8')) as {
    greedy: { task: string; text: string; codebook: string }[];
  };
  const { text: prompt, codebook } = greedy.find(({ task }) => task === 'text_to_image')!;
  const bytes = new Uint8Array(readFileSync(`${FOLDER}/cases.safetensors`));
  const { start, end } = (await readSafetensorsIndex(memorySource(bytes), 'cases')).get(codebook)!;
  return { prompt, codebook: Array.from(new Int32Array(bytes.slice(start, end).buffer)) };
}
