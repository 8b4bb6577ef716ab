import { writeFile } from 'node:fs/promises';
import { RudolphError } from '../../src/errors';
import { writeSafetensors } from '../../src/format/safetensors';
import { forward } from '../../src/model/forward';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES, withEngine } from '../support/engine';
import { readJson } from '../support/json';
import { Options } from '../support/options';
import { status } from '../support/output';

export const command: Command = {
  name: 'forward',
  summary: 'logits and hidden states of given token ids, for comparison with PyTorch',
  usage: `Usage: rudolph-web forward --model DIR --ids ids.json --out F.safetensors

Runs the transformer over token ids and writes
  logits  [B, S, V_text + V_image] f32   logits at every position
  hidden  [layers, B, S, hidden]   f32   the output of every layer

${ENGINE_USAGE}
  --ids F             JSON: an array of B equally long arrays of ids, as upstream's input_ids
  --out F             the safetensors file to write`,
  async run(args, signal) {
    const options = new Options(args, { values: [...ENGINE_VALUES, 'ids', 'out'] });
    const file = options.required('ids', 'a JSON file with an array of id arrays');
    const out = options.required('out', 'the safetensors file to write');
    const ids = await readJson(file);
    if (!Array.isArray(ids) || ids.length === 0 || !ids.every((row) => Array.isArray(row))) {
      throw new RudolphError('bad-input', `${file} must hold an array of id arrays, e.g. [[2, 402, 3, 0]]`);
    }
    await withEngine(options, signal, async ({ model, manifest }) => {
      const result = await forward(model.transformer, ids as number[][], signal);
      const { config } = manifest;
      const batch = ids.length;
      const length = (ids[0] as number[]).length;
      const tensors = [
        {
          name: 'logits',
          dtype: 'F32',
          shape: [batch, length, config.textVocabulary + config.imageVocabulary],
          data: result.logits,
        },
        { name: 'hidden', dtype: 'F32', shape: [config.layers, batch, length, config.hidden], data: result.hidden },
      ] as const;
      await writeFile(out, writeSafetensors(tensors));
      status(`${out}: logits [${tensors[0].shape.join(', ')}], hidden [${tensors[1].shape.join(', ')}]`, {
        done: true,
      });
    });
  },
};
