import { run } from './index';
import { RudolphError } from '../src/errors';
import { endStatus } from './support/output';

const controller = new AbortController();

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
  const args = process.argv.slice(2);
  await run(args, controller.signal);
  // Without a command it has only told which there are.
  if (args.length === 0) process.exitCode = 1;
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
