// Runs the built command line's `convert` in a process of its own and measures it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const HOOK =
  'data:text/javascript,process.on("exit",()=>process.stderr.write(`maxRSS ${process.resourceUsage().maxRSS}\\n`))';

/**
 * @param folder to run in
 * @param args of `rudolph-web convert`
 * @returns seconds, and the largest resident size of the process in bytes
 */
export async function measureConvert(folder, args) {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    ['--import', HOOK, join(process.cwd(), 'dist/cli/main.js'), 'convert', ...args],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`convert failed:\n${stderr}`);
  return { seconds: (performance.now() - started) / 1000, peakBytes: Number(/maxRSS (\d+)/.exec(stderr)[1]) * 1024 };
}

export const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
