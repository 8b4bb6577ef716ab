import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'vite';
import { vi } from 'vitest';
import { run } from '../../cli/index';

let built: Promise<string> | undefined;

/** Builds the command line as it stands now, once a test process, and returns the path of its main.js. */
export function buildCli(): Promise<string> {
  built ??= (async () => {
    // Inside node_modules, so that the packages it imports are found; a folder a process, so that two cannot collide.
    const outDir = resolve(`node_modules/.cache/rudolph-web/cli-test-${process.pid}`);
    process.once('exit', () => rmSync(outDir, { recursive: true, force: true }));
    await build({ configFile: 'vite.cli.config.ts', logLevel: 'warn', build: { outDir, emptyOutDir: true } });
    return `${outDir}/main.js`;
  })();
  return built;
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `rudolph-web ARGS…` as a process of its own and collects what it prints. */
export async function runCli(
  args: readonly string[],
  { env = {}, signalAfterMs }: { env?: Record<string, string>; signalAfterMs?: number } = {},
): Promise<CliResult> {
  const main = await buildCli();
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', fail);
    child.on('close', (code) => done({ code, stdout, stderr }));
    if (signalAfterMs !== undefined) setTimeout(() => child.kill('SIGINT'), signalAfterMs);
  });
}

/**
 * Runs `rudolph-web ARGS…` in this process and collects what it prints. Rejects as the command does; how a process tells of that is
 * tested with `runCli`.
 */
export async function runHere(args: readonly string[]): Promise<Omit<CliResult, 'code'>> {
  const printed = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed[name] += String(text);
      return true;
    }),
  );
  try {
    await run(args);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return printed;
}
