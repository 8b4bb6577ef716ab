import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command } from '../../cli/commands/convert';
import { openFolder } from '../../cli/support/folder';
import type { Manifest } from '../../src/format/manifest';
import { runCli } from '../support/cli';

const TINY = 'test/fixtures/tiny-a';
let folder: string;
let model: string;
let manifest: Manifest;
let stdout: string;

const inputs = [
  '--rudolph',
  `${TINY}/pytorch_model.bin`,
  '--vqgan',
  `${TINY}/vqgan.ckpt`,
  '--tokenizer',
  `${TINY}/bpe.model`,
  '--config',
  `${TINY}/config.json`,
];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rudolph-convert-'));
  model = join(folder, 'deep', 'tiny');
  const result = await runCli([
    'convert',
    ...inputs,
    '--vqgan-dwt',
    `${TINY}/vqgan_dwt.ckpt`,
    '--name',
    'Tiny',
    '--out',
    model,
  ]);
  if (result.code !== 0) throw new Error(result.stderr);
  stdout = result.stdout;
  manifest = JSON.parse(readFileSync(join(model, 'rudolph.json'), 'utf8')) as Manifest;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('rudolph-web convert', () => {
  it('writes a folder with the manifest and its shards, and nothing else anywhere', () => {
    const shards = Object.values(manifest.components).flatMap((component) => component.shards.map(({ file }) => file));
    expect(readdirSync(model).sort()).toEqual([...new Set(shards), 'rudolph.json'].sort());
    expect(readdirSync(join(folder, 'deep'))).toEqual(['tiny']);
    expect(manifest.name).toBe('Tiny');
    expect(stdout).toBe(`${model}\n`);
  });

  it('never overwrites unless told to', async () => {
    const before = readFileSync(join(model, 'rudolph.json'));
    expect(await runCli(['convert', ...inputs, '--out', model])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `rudolph-web: ${model} exists already; --force replaces it\n`,
    });
    expect(readFileSync(join(model, 'rudolph.json'))).toEqual(before);
    const copy = join(folder, 'copy');
    cpSync(model, copy, { recursive: true });
    expect((await runCli(['convert', ...inputs, '--name', 'new', '--force', '--out', copy])).code).toBe(0);
    expect(readFileSync(join(copy, 'rudolph.json'), 'utf8')).toContain('"name":"new"');
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    const other = mkdtempSync(join(folder, 'other-'));
    writeFileSync(join(other, 'thesis.txt'), 'x');
    const refused = await runCli(['convert', ...inputs, '--force', '--out', other]);
    expect(refused).toMatchObject({
      code: 1,
      stderr: `rudolph-web: ${other} exists and holds something else than a web model; choose another --out\n`,
    });
    expect(readdirSync(other)).toEqual(['thesis.txt']);
  });

  it.each<[string, string[], RegExp]>([
    ['a missing option', ['--rudolph', 'x'], /^rudolph-web: --tokenizer is missing/],
    [
      'a missing file',
      [...inputs.slice(2), '--rudolph', 'nowhere.bin'],
      /^rudolph-web: nowhere\.bin: there is no such file\n$/,
    ],
    [
      'a folder',
      [...inputs.slice(2), '--rudolph', TINY],
      /^rudolph-web: test\/fixtures\/tiny-a is a folder, a file was expected\n$/,
    ],
    [
      'a strange preset',
      [...inputs.slice(0, 6), '--preset', '3B'],
      /^rudolph-web: --preset is "3B"; it can be 350M_v1, 350M, 1\.3B, 2\.7B, 2\.7B_fbc2\n$/,
    ],
    ['preset and config', [...inputs, '--preset', '350M'], /^rudolph-web: --preset and --config exclude each other\n$/],
    [
      'the wrong preset',
      [...inputs.slice(0, 6), '--preset', '350M'],
      /^rudolph-web: pytorch_model\.bin: the tensors do not fit 350M \(\d+ missing: .*\)\n$/,
    ],
    [
      'a wrong checkpoint',
      [...inputs.slice(2), '--rudolph', `${TINY}/config.json`],
      /^rudolph-web: config\.json is JSON; expected a checkpoint/,
    ],
    [
      'a strange metadata field',
      [...inputs, '--metadata', `${TINY}/config.json`],
      /^rudolph-web: config\.json: rudolph is not known/,
    ],
  ])('%s: one sentence, exit code 1, nothing written', async (_, args, message) => {
    const out = join(folder, 'failed');
    const result = await runCli(['convert', ...args, '--out', out]);
    expect(result.stderr).toMatch(message);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(readdirSync(folder).filter((name) => name.includes('failed'))).toEqual([]);
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const controller = new AbortController();
    const run = command.run([...inputs, '--out', join(folder, 'stopped')], controller.signal);
    // The temporary folder is there as soon as the first shard is on its way: then stop.
    while (!readdirSync(folder).some((name) => name.includes('stopped')))
      await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new DOMException('interrupted', 'AbortError'));
    await expect(run).rejects.toThrow('interrupted');
    expect(readdirSync(folder).filter((name) => name.includes('stopped'))).toEqual([]);
  });

  it('leaves nothing behind when it fails in the middle', async () => {
    const bad = join(folder, 'bad.ckpt');
    const bytes = readFileSync(`${TINY}/vqgan.ckpt`);
    // NaNs over the data of a late tensor: found only while writing the last component.
    bytes.fill(0xff, bytes.length - 400_000, bytes.length - 390_000);
    writeFileSync(bad, bytes);
    const result = await runCli([
      'convert',
      ...inputs.slice(0, 2),
      '--vqgan',
      bad,
      ...inputs.slice(4),
      '--out',
      join(folder, 'half'),
    ]);
    expect(result.stderr).toMatch(/bad\.ckpt: [\w.]+\[[\d, ]+\] is NaN; the weights are not usable\n$/);
    expect(result.code).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes('half'))).toEqual([]);
  });
});

describe('rudolph-web tokenize', () => {
  it('prints one JSON array of id arrays, neither lower-cased nor stripped', async () => {
    const result = await runCli(['tokenize', '--model', model, '--json', 'кот на картинке', 'КОТ', '', '--', '--json']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const ids = JSON.parse(result.stdout) as number[][];
    expect(ids.slice(0, 3)).toEqual([[186, 87, 216], [4, 1], []]);
    expect(ids).toHaveLength(4);
  });
  it('prints pieces for people', async () => {
    expect((await runCli(['tokenize', '--model', model, 'кот'])).stdout).toBe('186:▁кот\n');
  });
  it('says what is missing', async () => {
    expect(await runCli(['tokenize', '--model', model])).toMatchObject({
      code: 1,
      stderr: 'rudolph-web: no text was given\n',
    });
    expect((await runCli(['tokenize', '--model', 'nowhere', 'x'])).stderr).toMatch(
      /^rudolph-web: nowhere is neither a folder nor a model of this package/,
    );
  });
});

describe('openFolder', () => {
  const copyOf = (name: string): string => {
    const copy = join(folder, name);
    cpSync(model, copy, { recursive: true });
    return copy;
  };
  const shard = () => manifest.components.transformer!.shards[0]!;

  it('gives every shard of a good folder', async () => {
    const source = await openFolder(model);
    for (const { shards } of Object.values(source.manifest.components))
      for (const entry of shards) expect((await source.shard(entry)).byteLength).toBe(entry.byteLength);
  });
  it('notices a damaged, a short and a missing shard', async () => {
    const copy = copyOf('damaged');
    const path = join(copy, shard().file);
    const source = await openFolder(copy);
    const bytes = readFileSync(path);
    bytes[12345]! ^= 1;
    writeFileSync(path, bytes);
    await expect(source.shard(shard())).rejects.toThrow(
      `${path}: shard is damaged (SHA-256 differs); convert the model again`,
    );
    writeFileSync(path, bytes.subarray(1));
    await expect(source.shard(shard())).rejects.toThrow(
      `shard is damaged (it has ${bytes.length - 1} bytes, expected ${bytes.length})`,
    );
    renameSync(path, `${path}.away`);
    await expect(source.shard(shard())).rejects.toThrow(
      `${path} is missing (one of 5 shards); convert the model again`,
    );
  });
  it('notices a manifest that is missing or too new', async () => {
    const copy = copyOf('newer');
    writeFileSync(join(copy, 'rudolph.json'), JSON.stringify({ ...manifest, formatVersion: 99 }));
    await expect(openFolder(copy)).rejects.toThrow(
      'has format version 99, this version of rudolph-web reads up to 1: update rudolph-web',
    );
    rmSync(join(copy, 'rudolph.json'));
    await expect(openFolder(copy)).rejects.toThrow('is no web model: it has no readable rudolph.json');
    expect(existsSync(copy)).toBe(true);
  });
});
