import type { CaptionOptions } from '../../src/tasks/types';
import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES, withEngine } from '../support/engine';
import { readImage } from '../support/images';
import { Options } from '../support/options';
import { print, printJson, status } from '../support/output';
import { SAMPLING_USAGE, SAMPLING_VALUES, samplingOf, specialTokenOf } from '../support/sampling';

export const command: Command = {
  name: 'caption',
  summary: 'Russian captions of a picture',
  usage: `Usage: rudolph-web caption --model DIR --image F [--count N] [--json]

Describes a picture: N drafts, the different ones with how often each came.

${ENGINE_USAGE}
  --image F           PNG, JPEG or WebP; its centre square is used, turned as its EXIF data say
  --template T        how captions begin (default: "на картинке")
  --left-special-token S   --right-special-token S   (default: LT_I2T and RT_I2T; none: no token)
${SAMPLING_USAGE('64', '0.8', '0.9')}
  --json              print {"texts": […], "counts": […], "tokens": [[…]], "seed": …}`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...SAMPLING_VALUES, 'image', 'template', 'left-special-token', 'right-special-token'],
      flags: ['json'],
    });
    const image = await readImage(options.required('image', 'the picture to describe'));
    const template = options.string('template');
    const left = specialTokenOf(options, 'left-special-token');
    const right = specialTokenOf(options, 'right-special-token');
    const request: CaptionOptions = {
      ...samplingOf(options),
      ...(template === undefined ? {} : { template }),
      ...(left === undefined ? {} : { leftSpecialToken: left }),
      ...(right === undefined ? {} : { rightSpecialToken: right }),
    };
    const { texts, counts, tokens, seed } = await withEngine(options, signal, (engine) =>
      engine.caption(image, request, {
        signal,
        onEvent: (event) => {
          if (event.type === 'progress') status(`${event.stage}: ${Math.floor((100 * event.done) / event.total)} %`);
          if (event.type === 'notice') status(`note: ${event.message}`, { done: true });
        },
      }),
    );
    if (options.flag('json')) printJson({ texts, counts, tokens, seed });
    else texts.forEach((text, index) => print(`${counts[index]}× ${text}`));
  },
};
