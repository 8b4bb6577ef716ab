import { expect, it } from 'vitest';
import { runCli } from '../support/cli';

it('lists every command with its summary', async () => {
  const { code, stdout, stderr } = await runCli(['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const name of ['draw', 'caption', 'convert', 'tokenize', 'encode-image', 'decode-image', 'forward', 'parity']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    const help = await runCli([name, '--help']);
    expect(help, name).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain(`rudolph-web ${name}`);
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
