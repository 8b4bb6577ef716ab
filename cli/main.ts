import { version } from '../package.json';
import { RudolphError } from '../src/errors';
import type { Command } from './support/command';
import { endStatus, print } from './support/output';

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

const controller = new AbortController();

async function main(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const [topic] = rest;
    print(name === 'help' && topic !== undefined ? (await load(topic)).usage.trim() : await overview());
    if (name === undefined) process.exitCode = 1;
    return;
  }
  if (name === '--version') return print(version);
  const command = await load(name);
  const end = rest.indexOf('--');
  const options = end < 0 ? rest : rest.slice(0, end);
  if (options.includes('--help') || options.includes('-h')) return print(command.usage.trim());
  await command.run(rest, controller.signal);
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

/** An error as one sentence for the terminal. */
function explain(error: unknown): string {
  if (error instanceof RudolphError) return error.message;
  const { code, path, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is a folder, a file was expected',
    ENOTDIR: 'a part of the path is a file, a folder was expected',
    EEXIST: 'it exists already',
    ENOSPC: 'the disk is full',
    EROFS: 'the file system is read-only',
  };
  const reason = code === undefined ? undefined : reasons[code];
  if (reason) return path === undefined ? reason : `${path}: ${reason}`;
  return `unexpected error: ${message ?? String(error)} (RUDOLPH_DEBUG=1 prints where)`;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0); // the reader went away, as in `rudolph-web … | head`
  throw error;
});

process.on('SIGINT', () => {
  if (controller.signal.aborted) process.exit(130);
  controller.abort(new DOMException('interrupted', 'AbortError'));
  // For commands in the middle of something that takes no signal.
  setTimeout(() => process.exit(130), 3000).unref();
});

// Node leaves quietly when it sees nothing more to wait for; a promise of the GPU's is not among what it sees.
setInterval(() => undefined, 1 << 30);

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 1;
  endStatus();
  if (!controller.signal.aborted) {
    process.stderr.write(`rudolph-web: ${explain(error)}\n`);
    if (process.env['RUDOLPH_DEBUG'] === '1') console.error(error);
  }
}
if (controller.signal.aborted) process.exitCode = 130;
// Dawn's threads would keep the process alive; what is written must be out before.
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit();
