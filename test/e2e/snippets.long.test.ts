import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { convertTiny, FOLDER } from '../convert/tiny';
import { Snippets } from '../docs/snippets';
import { launchBrowser } from '../support/browser';
import { type Host, startHost } from './hosts';

/*
 * Every page and program of the README and the guides, as they are written, with the published library and the tiny reference model, under
 * the policy that docs/hosting.md asks for.
 */
const snippets = new Snippets('', 'ts', 'js', 'html', 'css');
const CHECKPOINT = ['pytorch_model.bin', 'vqgan.ckpt', 'bpe.model', 'config.json'].map((name) => `${FOLDER}/${name}`);
const LONG = { timeout: 240_000 };
const policy = snippets.take('docs/hosting.md', "default-src 'none'").code.trim();

let browser: Browser;
let home: Host;
/** Serves library and model to other sites. */
let elsewhere: Host;
let context: BrowserContext;
let page: Page;
let messages: string[];

beforeAll(async () => {
  const [started, own, other, { files }] = await Promise.all([
    launchBrowser(),
    startHost(),
    startHost(),
    convertTiny(),
  ]);
  [browser, home, elsewhere] = [started, own, other];
  for (const host of [home, elsewhere]) {
    for (const folder of ['/models/embedded/', '/models/mine/', '/embedded/'])
      for (const [name, bytes] of files) host.files.set(`${folder}${name}`, bytes);
    host.folders.set('/rudolph-web/', inject('library'));
    host.folders.set('/rudolph/', inject('library'));
  }
  home.files.set('/poster.png', readFileSync(`${FOLDER}/image0.png`));
  elsewhere.headers = { 'access-control-allow-origin': '*' };
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([home?.close(), elsewhere?.close()]);
});
beforeEach(async () => {
  home.headers = { 'content-security-policy': policy };
  messages = [];
  context = await browser.newContext();
  page = await context.newPage();
  page.on('console', (message) => messages.push(message.text()));
  page.on('pageerror', (error) => messages.push(error.message));
});
afterEach(() => context.close());

/** Opens a page with a snippet's tags, and its program or style beside it. */
async function open({ html = '', program = '', css = '' }): Promise<void> {
  const { outputText } = ts.transpileModule(program, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  home.files.set('/program.js', outputText.replaceAll("'rudolph-web'", "'./rudolph-web/index.js'"));
  home.files.set('/style.css', css);
  home.files.set(
    '/',
    `<!doctype html><html lang="ru"><title>A page</title><link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">
    ${html}<script type="module" src="program.js"></script></html>`,
  );
  await page.goto(`${home.origin}/`);
}

/** Presses the widget's button; its picture comes. */
async function draw(): Promise<void> {
  await page.locator('rudolph-widget [part=button]').click();
  await page.locator('rudolph-widget:is([state=done], [state=failed])').waitFor(LONG);
  const errors = await page.locator('rudolph-widget [part=error]').allTextContents();
  expect(await page.getAttribute('rudolph-widget', 'state'), [...errors, ...messages].join('\n')).toBe('done');
  expect(await page.locator('rudolph-widget canvas.picture').count()).toBe(1);
}

/** What a program has left behind. */
const left = (): Promise<unknown> => page.evaluate(() => (globalThis as unknown as { left?: unknown }).left);
const ends = async (): Promise<unknown> => {
  await expect.poll(async () => (await left()) ?? messages.find((text) => /Error/.test(text)), LONG).toBeTruthy();
  return left();
};

it('README: the library draws and describes', async () => {
  const { code } = snippets.take('README.md', 'textToImage');
  await open({ program: `${code}\nglobalThis.left = { images: images.map(({ width }) => width), texts, counts };` });
  const { images, texts, counts } = (await ends()) as Record<string, readonly unknown[]>;
  expect(images).toEqual([32, 32, 32, 32]);
  expect(counts!.reduce((sum: number, count) => sum + Number(count), 0)).toBe(8);
  expect(texts).toHaveLength(counts!.length);
  expect(messages).toEqual(expect.arrayContaining(['progress', 'picture']));
});

it('README: the tag', async () => {
  await open({ html: snippets.take('README.md', '<rudolph-widget').code });
  await draw();
  expect(messages).toEqual([]);
});

it('the widget: tag, events and styles', async () => {
  await open({
    html: snippets.take('docs/widget.md', 'widget.js').code,
    program: snippets.take('docs/widget.md', 'addEventListener').code,
    css: snippets.take('docs/widget.md', '::part').code,
  });
  await draw();
  const looks = await page.locator('rudolph-widget').evaluate((widget) => {
    const part = (name: string): CSSStyleDeclaration =>
      getComputedStyle(widget.shadowRoot!.querySelector(`[part~=${name}]`)!);
    return [getComputedStyle(widget).maxWidth, part('button').backgroundColor, part('picture').borderRadius];
  });
  expect(looks).toEqual(['none', 'rgb(0, 128, 128)', '0px']);
  expect(messages).toEqual([expect.stringMatching(/^Object \d+$|^\{.*\} \d+$/)]);
});

it('the widget: slots', async () => {
  const { code } = snippets.take('docs/widget.md', 'slot="poster"');
  await open({ html: `<script type="module" src="rudolph-web/widget.js"></script>${code}` });
  await page.waitForFunction(() => customElements.get('rudolph-widget'));
  expect(await page.locator('rudolph-widget h2').isVisible()).toBe(true);
  expect(
    await page.locator('rudolph-widget img').evaluate((image: HTMLImageElement) => image.naturalWidth),
  ).toBeGreaterThan(0);
});

it('hosting: script and model from other sites, with what the table adds to the policy', async () => {
  const guide = readFileSync('docs/hosting.md', 'utf8');
  const added = ['a model on another origin', 'the library on another origin'].flatMap((what) =>
    /\| `([^`]*)`/.exec(guide.slice(guide.indexOf(`| ${what} `)))![1]!.split('; '),
  );
  const whole = added.reduce((text, directive) => {
    const [name, ...sources] = directive.split(' ');
    return text.replace(`${name} 'self'`, `${name} 'self' ${sources.join(' ')}`);
  }, policy);
  const named = (text: string): string => text.replace(/https:\/\/(lib|models)\.example/g, elsewhere.origin);
  home.headers = { 'content-security-policy': named(whole) };
  await open({
    html: named(snippets.take('docs/hosting.md', 'https://lib.example').code).replace(
      '<rudolph-widget',
      '<rudolph-widget prompt="круг"',
    ),
  });
  await draw();
  expect(messages).toEqual([]);
});

it('hosting: the worker from where the page says', async () => {
  // The script is from elsewhere; a blob worker would be against this policy.
  home.headers = {
    'content-security-policy': policy.replace("script-src 'self'", `script-src 'self' ${elsewhere.origin}`),
  };
  const tag = snippets
    .take('docs/hosting.md', 'worker-url')
    .code.replace('…', 'model="models/embedded/" prompt="круг"');
  await open({ html: `<script type="module" src="${elsewhere.origin}/rudolph-web/widget.js"></script>${tag}` });
  await draw();
  const { code } = snippets.take('docs/hosting.md', 'workerUrl');
  await open({
    program: `import { Rudolph } from 'rudolph-web';\nconst model = 'models/embedded/';\nglobalThis.left = (${code.trim().replace(/;$/, '')}).info.model.name;`,
  });
  expect(await ends()).toEqual(expect.any(String));
});

it('your own checkpoint: from a host, from files, file by file, again and away', async () => {
  const guide = 'docs/your-own-checkpoint.md';
  const { code } = snippets.take(guide, "load('models/mine/')");
  await open({ program: `${code}\nglobalThis.left = images.length;` });
  expect(await ends()).toBe(1);

  await open({
    html: snippets.take(guide, 'type="file"').code,
    program: snippets.take(guide, "querySelector<HTMLInputElement>('#files')").code,
  });
  await page.setInputFiles('#files', CHECKPOINT);
  await expect.poll(() => page.evaluate(() => localStorage.getItem('model')), LONG).toMatch(/^local:/);
  expect(messages.filter((text) => text.startsWith('convert')).length).toBeGreaterThan(0);

  messages.length = 0;
  await open({ program: snippets.take(guide, 'inspectFiles').code });
  const drop = async (paths: readonly string[]): Promise<void> => {
    const files = paths.map((path) => ({ name: path.split('/').at(-1)!, bytes: [...readFileSync(path)] }));
    await page.evaluate((given) => {
      const dataTransfer = new DataTransfer();
      for (const { name, bytes } of given) dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
      document.dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }));
    }, files);
  };
  await drop(CHECKPOINT.slice(0, 2));
  await expect.poll(() => messages.join(), LONG).toContain('the model is not complete: add the text tokenizer');
  await drop(CHECKPOINT.slice(2));
  await expect.poll(() => messages.join(), LONG).toMatch(/takes \d+ bytes, \d+ are free/);

  messages.length = 0;
  await open({
    program: `${snippets.take(guide, 'deleteModel').code}\nglobalThis.left = (await listModels()).map(({ url }) => url);`,
  });
  const before = [/models\/mine\/rudolph.json .* url$/, /^local:\w+ My RUDOLPH .* checkpoint$/];
  const remaining = (await ends()) as string[];
  for (const line of before) expect(messages).toEqual(expect.arrayContaining([expect.stringMatching(line)]));
  expect(remaining).toHaveLength(messages.length - 1);
});

it('no page and no program is left out', () => expect(snippets.left).toEqual([]));
