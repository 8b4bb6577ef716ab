import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeGpu } from '../cli/dawn';
import { openFolder } from '../cli/support/folder';
import { endStatus, print } from '../cli/support/output';
import { RudolphError } from '../src/errors';
import { requestGpu } from '../src/gpu/device';
import { parseCommandLine, peerModelsOf, USAGE } from './cliOptions';
import { commitOf, machine, repositoryRoot } from './machine';
import { nodePeers } from './peer/node';
import { EXPORTED, preparePeers } from './peer/prepare';
import { report } from './report';
import { runBench } from './suite';

const log = (line: string): void => void process.stderr.write(`${line}\n`);

/** `npm run bench`: the bench in Node, on Dawn. */
async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return print(USAGE);
  const { options, json } = parseCommandLine(args, ['webgpu', 'cpu']);
  const root = repositoryRoot();
  const api = await nodeGpu();
  const probe = await requestGpu(api, { variants: 'base' });
  probe.dispose();
  const models = peerModelsOf(options, probe.adapter.software);
  if (models) preparePeers(root, models, log);
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  const results = await runBench(
    {
      api,
      conditions: {
        runtime: `Node ${process.version}, webgpu ${version} (Dawn)`,
        machine: machine(),
        commit: commitOf(root),
      },
      embedded: await openFolder('embedded'),
      peers: models
        ? nodePeers(join(import.meta.dirname, 'peerProcess.js'), join(root, 'bench', 'peer'), join(root, EXPORTED))
        : null,
      log,
    },
    options,
  );
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 1)}\n`);
  print(report(results));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 1;
  endStatus();
  const { cause } = error as Error;
  const because = cause instanceof Error ? ` (${cause.message.split('\n')[0]})` : '';
  log(`bench: ${error instanceof RudolphError ? error.message + because : String((error as Error).stack)}`);
}
// Dawn's threads would keep the process alive; what is written must be out before.
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit();
