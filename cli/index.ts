import { version } from '../package.json';
import { RudolphError } from '../src/errors';
import type { Command } from './support/command';
import { print } from './support/output';

/** Every command's module, loaded only when it is asked for. */
const modules = import.meta.glob<{ command: Command }>('./commands/*.ts');

/** The names of the commands, in the order of the help text; what is not in this list comes last. */
const ORDER = [
  'draw',
  'inpaint',
  'caption',
  'answer',
  'read',
  'classify',
  'continue',
  'rank-images',
  'rank-texts',
  'perplexity',
  'convert',
  'tokenize',
  'encode-image',
  'decode-image',
  'forward',
  'parity',
];
const found = Object.keys(modules).map((path) => path.replace(/^.*\/|\.ts$/g, ''));
const NAMES = [...ORDER.filter((name) => found.includes(name)), ...found.filter((name) => !ORDER.includes(name))];

/**
 * Runs a command as the terminal would, in this process: `run(['caption', '--model', 'my-model', '--image', 'photo.jpg', '--json'])`.
 * Results go to stdout, progress to stderr. The graphics device stays open: a program that wants to end calls `process.exit`.
 *
 * @param args the words behind `rudolph-web`
 * @param signal stops the command, which then rejects with the signal's reason
 * @throws RudolphError with a stable `code`, or what Node's file system throws
 */
export async function run(args: readonly string[], signal: AbortSignal = new AbortController().signal): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const [topic] = rest;
    print(name === 'help' && topic !== undefined ? (await load(topic)).usage.trim() : await overview());
    return;
  }
  if (name === '--version') return print(version);
  const command = await load(name);
  const end = rest.indexOf('--');
  const options = end < 0 ? rest : rest.slice(0, end);
  if (options.includes('--help') || options.includes('-h')) return print(command.usage.trim());
  await command.run(rest, signal);
}

async function load(name: string): Promise<Command> {
  const module = modules[`./commands/${name}.ts`];
  if (!module) {
    throw new RudolphError(
      'bad-input',
      `there is no command "${name}"; there are ${NAMES.join(', ')} (rudolph-web --help tells more)`,
    );
  }
  return (await module()).command;
}

async function overview(): Promise<string> {
  const commands = await Promise.all(NAMES.map(load));
  const width = Math.max(...NAMES.map((name) => name.length));
  return `rudolph-web ${version}: RUDOLPH on WebGPU. Russian text to pictures, pictures to Russian text.

Usage: rudolph-web COMMAND [OPTIONS]

Commands:
${commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`).join('\n')}

rudolph-web COMMAND --help explains one. "--" ends the options, so that a text may begin with a dash.
Results go to stdout, progress to stderr; the exit code is 0, or 1 after an error.

Environment:
  RUDOLPH_ADAPTER=system|swiftshader  which graphics adapter (default: the system's, else SwiftShader, in software)
  RUDOLPH_DEBUG=1                     print the stack of an error`;
}
