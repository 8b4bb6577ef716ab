import type { Command } from '../support/command';
import { ENGINE_USAGE, ENGINE_VALUES } from '../support/engine';
import { given, Options } from '../support/options';
import { print, printJson } from '../support/output';
import { PICTURE_USAGE, PICTURE_VALUES, requiredPicture } from '../support/picture';
import { SPECIAL_TOKEN_USAGE, SPECIAL_TOKEN_VALUES, specialTokensOf } from '../support/specialTokens';
import { perplexityText } from '../support/ranking';
import { runPictureTask } from '../support/task';

export const command: Command = {
  name: 'classify',
  summary: 'which of given classes a picture shows (zero-shot)',
  usage: `Usage: rudolph-web classify --model DIR --image F --class C [--class C …] [--template T] [--left-template T] [--json]

Says which class a picture shows: the one whose text has the lowest perplexity behind the picture.

${ENGINE_USAGE}
${PICTURE_USAGE}
  --class C           a class, in Russian; once for each
  --template T        right text of each class, with {} in its place (default: "на картинке {}")
  --left-template T   left text; with {} it differs from class to class, which takes longer (default: empty)
${SPECIAL_TOKEN_USAGE('LT_I2T and RT_I2T')}
  --json              print {"label": index, "class": …, "classes": […], "tokens": [[…]], "scores": […],
                      "probabilities": […], "ppl_txt": […], "codebook": […]}; scores are upstream's, the lowest wins;
                      probabilities add up to 1, the highest wins
                      (default: a line for each class, the likeliest first)`,
  async run(args, signal) {
    const options = new Options(args, {
      values: [...ENGINE_VALUES, ...PICTURE_VALUES, ...SPECIAL_TOKEN_VALUES, 'template', 'left-template'],
      lists: ['class'],
      flags: ['json'],
    });
    const classes = options.requiredOf('class', 'a class that the picture may show; give one for each');
    const request = given({
      ...specialTokensOf(options),
      template: options.template('template'),
      leftTemplate: options.string('left-template'),
    });
    const picture = await requiredPicture(options, 'the picture to classify');
    const { result, codebook } = await runPictureTask(options, signal, picture, (engine, codes, context) =>
      engine.classify(codes, classes, request, context),
    );
    const { label, scores, probabilities, textPerplexities, tokens } = result;
    if (options.flag('json'))
      return printJson({
        label,
        class: result.class,
        classes,
        tokens,
        scores,
        probabilities,
        ppl_txt: textPerplexities,
        codebook,
      });
    const order = classes.map((_, index) => index).sort((a, b) => textPerplexities[a]! - textPerplexities[b]!);
    for (const index of order) {
      const share = `${(100 * probabilities[index]!).toFixed(1)} %`.padStart(7);
      print(`${share}  ${classes[index]}  (perplexity ${perplexityText(textPerplexities[index]!)})`);
    }
  },
};
