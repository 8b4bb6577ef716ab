import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { convertTiny } from '../convert/tiny';
import { runHere } from '../support/cli';
import { type Guide, readSnippets, type Snippet, Snippets } from './snippets';

/*
 * The guides' commands, as they are written, and the types of their programs. What runs in a page is in
 * test/e2e/snippets.long.test.ts.
 */
const TINY = 'test/fixtures/tiny-a';
vi.mock('../../cli/dawn', async (original) => (await import('../support/oneDevice')).oneDevice(await original()));
const repository = process.cwd();
const snippets = new Snippets('sh', 'json', 'python');
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rudolph-guide-'));
  // Upstream's names. The sizes are those of the reference model, which no preset has.
  cpSync(`${TINY}/pytorch_model.bin`, join(folder, 'pytorch_model.bin'));
  cpSync(`${TINY}/vqgan.ckpt`, join(folder, 'vqgan.gumbelf8-sber.model.ckpt'));
  cpSync(`${TINY}/bpe.model`, join(folder, 'bpe.model'));
  writeFileSync(join(folder, 'ids.json'), '[[2, 305, 3, 0]]');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The commands of a snippet: words, without comments; a line that ends in \ goes on. */
function commandsOf({ code }: Snippet): string[][] {
  return code
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => [...line.replace(/\s#.*$/, '').matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!))
    .filter((words) => words.length > 0);
}

/** Runs what begins with `npx rudolph-web` in the folder; of other commands, npm must know the script. */
async function runAll(
  snippet: Snippet,
  adapt: (words: string[]) => string[] | null = (words) => words,
): Promise<string[]> {
  const printed: string[] = [];
  for (const words of commandsOf(snippet)) {
    if (words[0] === 'npm') {
      for (const [, script] of words.join(' ').matchAll(/npm (?:run )?([\w:]+)/g))
        if (script !== 'ci') expect(scripts, words.join(' ')).toHaveProperty([script!]);
      continue;
    }
    expect(words.slice(0, 2)).toEqual(['npx', 'rudolph-web']);
    const args = adapt(words.slice(2));
    if (args === null) continue;
    process.chdir(folder);
    try {
      printed.push((await runHere(args)).stdout);
    } finally {
      process.chdir(repository);
    }
  }
  return printed;
}

const take = (file: Guide, words: string): Snippet => snippets.take(file, words);

it('README: npm’s scripts are there', async () => {
  expect(await runAll(take('README.md', 'npm start'))).toEqual([]);
});

it('README: what is packed has the name and the model that it tells of', () => {
  // npm run test:examples installs it and draws.
  const { code } = take('README.md', 'npm pack');
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  expect(code).toContain(`npm install ../rudolph-web/${filename} `);
  expect(code).toMatch(/^cp -r node_modules\/rudolph-web\/public\/models public\/ /m);
  expect(files.map(({ path }) => path)).toContain('public/models/embedded/rudolph.json');
});

it('README: the command line draws, describes, chooses and draws anew', { timeout: 240_000 }, async () => {
  // The reference model in the embedded one's place, which takes minutes here; half of its picture is two rows.
  const model = join(folder, 'tiny');
  for (const [name, bytes] of (await convertTiny()).files) {
    mkdirSync(model, { recursive: true });
    writeFileSync(join(model, name), bytes);
  }
  const small: Record<string, string> = { embedded: model, '8,0,0,0': '2,0,0,0' };
  const snippet = take('README.md', 'caption --model embedded');
  const fit = (words: string[]): string[] => words.map((word) => small[word] ?? word);
  const [drawn, caption, chosen, anew, help] = await runAll(snippet, fit);
  expect(drawn).toContain(join('pictures', 'rudolph-1-0.png'));
  const { texts, counts } = JSON.parse(caption!) as { texts: string[]; counts: number[] };
  expect(counts).toHaveLength(texts.length);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(8);
  expect(chosen).toMatch(/^ *[\d.]+ % {2}(вишня|ёлка|кот) {2}\(perplexity/);
  expect(anew).toContain('.png');
  expect(help).toContain('Commands:');
  // A second time: nobody's picture is gone, and the refusal says what to do; all the rest goes on from the picture that is there.
  await expect(runAll(snippet, fit)).rejects.toThrow('rudolph-1-0.png exists already; --force replaces it');
  const again = await runAll(snippet, (words) => [...fit(words), ...(words[0] === 'draw' ? ['--force'] : [])]);
  expect(again.slice(0, 3)).toEqual([drawn, expect.any(String), chosen]);
});

it('README and its guide: a checkpoint becomes a folder, which draws and computes', { timeout: 240_000 }, async () => {
  const sized = (words: string[]): string[] | null => {
    if (words[0] === 'parity') return null; // test/cli/parity.node.test.ts
    return words[0] === 'convert' ? [...words, '--config', resolve(TINY, 'config.json')] : words;
  };
  await runAll(take('README.md', '--out my-model'), sized);
  expect(JSON.parse(readFileSync(join(folder, 'my-model/rudolph.json'), 'utf8'))).toHaveProperty('components');
  await runAll(take('docs/your-own-checkpoint.md', '--out public/models/mine'), sized);
  await runAll(take('docs/your-own-checkpoint.md', 'npx rudolph-web parity'), sized);
  expect(readFileSync(join(folder, 'forward.safetensors')).byteLength).toBeGreaterThan(1000);
});

it('your own checkpoint: the sizes that are shown are the reference model’s', () => {
  const { rudolph } = JSON.parse(take('docs/your-own-checkpoint.md', 'num_layers').code) as { rudolph: unknown };
  expect(rudolph).toEqual((JSON.parse(readFileSync(`${TINY}/config.json`, 'utf8')) as { rudolph: unknown }).rudolph);
  // PyTorch is no part of these tests; the reference model was written by this very call.
  expect(take('docs/your-own-checkpoint.md', 'torch.save').code).toContain('model.state_dict(), "pytorch_model.bin"');
});

it('the programs in the guides have no type errors', { timeout: 120_000 }, () => {
  // Inside the repository, where the compiler finds types.
  const place = resolve('node_modules/.cache/rudolph-web/snippets');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  const names = readSnippets()
    .filter(({ language }) => language === 'ts' || language === 'js')
    .map(({ file, line, code }) => {
      const name = join(place, `${file.replaceAll('/', '-')}-${line}.ts`);
      // A line that takes up what another snippet has begun.
      const begun = code.includes('import ')
        ? ''
        : "import { Rudolph } from 'rudolph-web';\nimport 'rudolph-web/widget';\ndeclare const model: string;\n";
      const types = code.includes('querySelector(') ? code.replace("('rudolph-widget')", "('rudolph-widget')!") : code;
      writeFileSync(name, `${begun}${types}\nexport {};\n`);
      return name;
    });
  const program = ts.createProgram(names, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
    types: ['vite/client', '@webgpu/types'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    paths: { 'rudolph-web': [resolve('src/index.ts')], 'rudolph-web/widget': [resolve('src/widget/index.ts')] },
  });
  const errors = ts
    .getPreEmitDiagnostics(program)
    .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
  expect(names.length).toBeGreaterThan(6);
  expect(errors).toEqual([]);
});

it('no command is left out', () => expect(snippets.left).toEqual([]));
