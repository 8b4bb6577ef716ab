import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RudolphError } from '../../src/errors';

/** Where bench/peer/export_onnx.py writes, from the repository's root. */
export const EXPORTED = 'dist/peer';

/**
 * Installs the peer's packages (bench/peer/package.json, apart from the project's own, so that nobody else has to download them) and
 * exports the models, each once. @param root the repository's root.
 */
export function preparePeers(root: string, models: readonly string[], log: (line: string) => void): void {
  const packages = join(root, 'bench', 'peer');
  if (!existsSync(join(packages, 'node_modules', 'onnxruntime-web', 'package.json'))) {
    log('installing onnxruntime-node and onnxruntime-web into bench/peer/node_modules (about 440 MB), once');
    // Their install scripts would download CUDA libraries, which are not needed.
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], packages, 'npm could not install the peer');
  }
  for (const model of models) {
    const folder = join(root, EXPORTED, model);
    if (isFresh(folder, root, model)) continue;
    log(`exporting ${model} to ONNX, once`);
    const script = join('bench', 'peer', 'export_onnx.py');
    const args = [
      script,
      '--out',
      folder,
      ...(model === 'embedded' ? ['--source-hash', embeddedHash(root)] : ['--preset', model]),
    ];
    const checkpoints = process.env['RUDOLPH_PEER_CHECKPOINTS'];
    if (model === 'embedded' && checkpoints) args.push('--checkpoints', checkpoints);
    const python = process.env['PYTHON'] ?? 'python3';
    run(python, args, root, `${script} needs Python with training/requirements.txt and onnx (pip install onnx)`);
  }
}

/** An export of another edition of the embedded model would be caught by the check of logits, but need not be tried. */
function isFresh(folder: string, root: string, model: string): boolean {
  const file = join(folder, 'peer.json');
  if (!existsSync(file)) return false;
  if (model !== 'embedded') return true;
  return (JSON.parse(readFileSync(file, 'utf8')) as { source?: string }).source === embeddedHash(root);
}

function embeddedHash(root: string): string {
  const manifest = JSON.parse(readFileSync(join(root, 'public/models/embedded/rudolph.json'), 'utf8')) as {
    components: { transformer: { shards: { sha256: string }[] } };
  };
  return manifest.components.transformer.shards.map(({ sha256 }) => sha256.slice(0, 16)).join('-');
}

function run(command: string, args: readonly string[], folder: string, advice: string): void {
  try {
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 2, 2] });
  } catch (cause) {
    throw new RudolphError('bad-input', advice, {}, { cause });
  }
}
