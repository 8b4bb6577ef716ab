import { writeFile } from 'node:fs/promises';
import { writeSafetensors } from '../../src/format/safetensors';
import { toRgba } from '../../src/image/planar';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { writePng } from '../support/images';
import { withImageTokenizer } from '../support/imageTokenizer';
import { CANDIDATE_USAGE, readOnePicture } from '../support/imageTokens';
import { Options } from '../support/options';
import { print, status } from '../support/output';

export const command: Command = {
  name: 'decode-image',
  summary: 'the picture of image tokens',
  usage: `Usage: rudolph-web decode-image --model DIR --indices f.json --out F.png [--raw F.safetensors] [--dwt]

Decodes codebook indices into a PNG. As upstream, 255·x is cut off to 8 bits, not rounded.

${ENGINE_USAGE}
  --indices F         JSON: an array of indices, row by row, or what encode-image --json prints; a square unless the
                      JSON says "width" and "height" (in tokens)
${CANDIDATE_USAGE}
  --out F             the PNG file to write
  --raw F             also write the tensor image [3, H, W] f32 in 0…1, before rounding, as safetensors
  --dwt               the DWT decoder, whose pictures are twice as wide and high`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, 'indices', 'candidate', 'out', 'raw'],
      flags: ['dwt'],
    });
    const file = options.required('indices', 'a JSON file with an array of indices');
    const out = options.required('out', 'the PNG file to write');
    const raw = options.string('raw');
    const { tokens, size } = await readOnePicture(file, options);
    const dwt = options.flag('dwt');
    const image = await withImageTokenizer(options, dwt ? 'imageDecoderDwt' : 'imageDecoder', signal, (tokenizer) =>
      tokenizer.decode(tokens, {
        ...size,
        dwt,
        signal,
        onProgress: (done) => status(`decoding: ${Math.floor(100 * done)} %`),
      }),
    );
    await writePng(out, toRgba(image));
    if (raw !== undefined) {
      await writeFile(
        raw,
        writeSafetensors([{ name: 'image', dtype: 'F32', shape: [3, image.height, image.width], data: image.data }]),
      );
    }
    print(out);
  },
};
