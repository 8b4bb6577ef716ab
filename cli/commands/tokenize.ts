import { RudolphError } from '../../src/errors';
import { readComponent } from '../../src/format/readComponent';
import { Tokenizer } from '../../src/text/tokenizer';
import { openFolder } from '../support/folder';
import { Options } from '../support/options';
import { print, printJson } from '../support/output';
import type { Command } from '../support/command';

export const command: Command = {
  name: 'tokenize',
  summary: 'the token ids of texts',
  usage: `Usage: rudolph-web tokenize --model DIR [--json] [--] TEXT…

Cuts texts into the BPE tokens of a model, without bos and eos, neither lower-cased nor stripped (a prompt is).

  --model DIR   folder of a web model, or the name of one that ships with this package ("embedded")
  --json        print one JSON array with an array of ids for each text
                (default: a line for each text: ids and pieces)`,
  async run(args, signal) {
    const options = new Options(args, { values: ['model'], flags: ['json'], positionals: 'texts' });
    const source = await openFolder(options.required('model', 'the folder of a web model, or "embedded"'));
    if (options.positionals.length === 0) throw new RudolphError('bad-input', 'no text was given');
    const tokenizer = Tokenizer.parse(await readComponent(source, 'tokenizer', signal));
    if (options.flag('json')) return printJson(options.positionals.map((text) => tokenizer.encode(text)));
    for (const text of options.positionals) {
      const pieces = tokenizer.subwords(text);
      print(
        tokenizer
          .encode(text)
          .map((id, i) => `${id}:${pieces[i]}`)
          .join(' '),
      );
    }
  },
};
