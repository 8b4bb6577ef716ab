import { preprocess } from '../../src/image/preprocess';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { readImage } from '../support/images';
import { withImageTokenizer } from '../support/imageTokenizer';
import { Options } from '../support/options';
import { print, printJson } from '../support/output';

export const command: Command = {
  name: 'encode-image',
  summary: 'image tokens of a picture',
  usage: `Usage: rudolph-web encode-image --model DIR --image F [--json]

Prints the codebook indices of the picture's centre square, row by row. The square is resized as Pillow's bilinear
filter does. EXIF orientation is applied, and transparent pictures are laid on white (upstream does neither).

${ENGINE_USAGE}
  --image F           a PNG, JPEG or WebP file
  --json              print {"indices": […], "width": …, "height": …} (width and height in tokens)`,
  async run(args, signal) {
    const options = new Options(args, { values: [...ENGINE_VALUES, 'image'], flags: ['json'] });
    const file = options.required('image', 'a PNG, JPEG or WebP file');
    const image = await readImage(file);
    const { indices, width, height } = await withImageTokenizer(options, 'imageEncoder', signal, (tokenizer) =>
      tokenizer.encode(preprocess(image, tokenizer.side * tokenizer.factor), { signal }),
    );
    if (options.flag('json')) printJson({ indices: Array.from(indices), width, height });
    else for (let row = 0; row < height; row++) print(indices.subarray(row * width, (row + 1) * width).join(' '));
  },
};
