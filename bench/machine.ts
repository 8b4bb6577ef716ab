import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, release, type as system } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root: the bundled programme lies elsewhere than its source, so it is searched upwards. */
export function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'bench', 'peer', 'package.json'))) {
    if (folder === dirname(folder)) throw new Error('run this in a clone of the repository');
    folder = dirname(folder);
  }
  return folder;
}

/** What was measured, for the results. */
export function commitOf(root: string): string {
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=12'];
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

export function machine(): string {
  const cores = cpus();
  return `${system()} ${release().split('-')[0]}, ${cores.length} cores (${cores[0]?.model.trim() || process.arch})`;
}
