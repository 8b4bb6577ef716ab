import { RudolphError } from '../../src/errors';
import { runParity } from '../parity/runParity';
import type { Command } from '../support/command';
import { variantsOf } from '../support/engine';
import { Options } from '../support/options';
import { print } from '../support/output';

export const command: Command = {
  name: 'parity',
  summary: 'compare converter and engine with upstream, on a reference bundle',
  usage: `Usage: rudolph-web parity DIR [--variants auto|base|f16|subgroups]

Converts the checkpoints of a reference bundle (upstream's own numbers on a small random model) and compares conversion,
tokenizer, masks, preprocessing, forward passes, hidden states, image encoding and decoding, greedy pictures,
inpainting, continuations and captions, both rankings, zero-shot classes and filtering. Prints a line a case with the
largest difference; the exit code is 1 if any fails.

  --variants V        kernels: auto (default: what is fastest here), base (no optional feature), f16, subgroups`,
  async run(args, signal) {
    const options = new Options(args, { values: ['variants'], positionals: 'the folder of a bundle' });
    const [folder, ...more] = options.positionals;
    if (folder === undefined || more.length > 0)
      throw new RudolphError('bad-input', 'parity takes one folder: a reference bundle');
    const report = await runParity(folder, { variants: variantsOf(options), print, signal });
    print(`${report.passed} passed, ${report.failed} failed`);
    if (report.failed > 0 || report.passed === 0) process.exitCode = 1;
  },
};
