import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Command } from '../../cli/support/command';
import { buildCli, runCli } from '../support/cli';

const NAMES = readdirSync('cli/commands').map((file) => file.replace(/\.ts$/, ''));
const modules = import.meta.glob<{ command: Command }>('../../cli/commands/*.ts', { eager: true });
const commands = NAMES.map((name) => modules[`../../cli/commands/${name}.ts`]!.command);

it('lists every command with its summary', async () => {
  const { code, stdout, stderr } = await runCli(['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const { name, summary } of commands) expect(stdout).toContain(`  ${name.padEnd(12)}  ${summary}\n`);
  const listed = stdout.split('\n').flatMap((line) => /^ {2}([a-z-]+) {2}/.exec(line)?.[1] ?? []);
  expect(listed.slice().sort()).toEqual(NAMES.slice().sort());
  expect(listed[0]).toBe('draw');
});

it('prints the help of a command, wherever --help stands', async () => {
  const help = await runCli(['inpaint', '--text', 'кот', '--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toMatch(/^Usage: rudolph-web inpaint [^\n]*\n\n/);
  expect((await runCli(['help', 'inpaint'])).stdout).toBe(help.stdout);
});

it.each(commands)('help of $name: a call, and lines that fit a screen', ({ name, usage }) => {
  expect(usage.startsWith(`Usage: rudolph-web ${name} `)).toBe(true);
  const long = usage.split('\n').filter((line) => line.length > 120);
  expect(long).toEqual([]);
});

it.each(commands)('every option in the help of $name exists', async ({ usage, run }) => {
  // At the start of a line or of a column: others belong to another command, as in "what encode-image --json prints".
  const own = [...usage.matchAll(/(?:^ {2}| {3})--([a-z-]+)/gm)].map((match) => match[1]!);
  expect(own.length).toBeGreaterThan(0);
  for (const name of own) {
    const error = await run([`--${name}=x`], new AbortController().signal).then(
      () => null,
      (thrown: Error) => thrown,
    );
    expect(error, `--${name}`).not.toBeNull();
    expect(error!.message, `--${name}`).not.toContain('there is no option');
  }
});

it('answers an unknown command with one sentence and exit code 1', async () => {
  const { code, stdout, stderr } = await runCli(['darw']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^rudolph-web: there is no command "darw"; there are [^\n]*draw[^\n]*\n$/);
});

it('answers an unknown option with one sentence and exit code 1', async () => {
  const { code, stdout, stderr } = await runCli(['tokenize', '--modle', 'x']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^rudolph-web: [^\n]*--modle[^\n]*\n$/);
});

it('takes what follows -- for text, even --help', async () => {
  const { stdout, code } = await runCli(['tokenize', '--model', 'no-such-model', '--json', '--', '--help']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' }); // it looked for the model: no help was printed
});

it('programs run commands, too, and importing it starts nothing', async () => {
  const { run } = (await import(/* @vite-ignore */ (await buildCli()).replace('main.js', 'index.js'))) as {
    run(args: readonly string[], signal?: AbortSignal): Promise<void>;
  };
  await expect(run(['draw', '--modle', 'x'])).rejects.toMatchObject({ code: 'bad-input' });
  await expect(run(['darw'])).rejects.toThrow('there is no command "darw"');
});
