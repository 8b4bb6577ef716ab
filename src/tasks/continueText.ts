import { RudolphError } from '../errors';
import type { ModelConfig } from '../format/manifest';
import { bpeVocabularyOf, type LoadedModel } from './loadedModel';
import { checkText, taskToken } from './prompts';
import { TEXT_SAMPLING } from './sampling';
import { scoreStreams } from './scoring';
import type { ContinueTextOptions, ContinueTextResult, TaskContext, TextEvent } from './types';
import { writeTexts } from './writing';

/**
 * Continues a text inside the left stream (upstream's `generate_texts`), from its own length to L, unpadded. The
 * perplexities are those of the decoded texts, encoded again.
 * @throws RudolphError `bad-input` for a text that fills the stream, options out of range or `allowed` ids that are no text ids.
 */
export async function continueText(
  model: LoadedModel,
  text: string,
  options: ContinueTextOptions,
  context: TaskContext<TextEvent>,
): Promise<ContinueTextResult> {
  checkText('the text', text);
  const { config } = model.manifest;
  const { allowed } = options;
  checkAllowed(config, allowed);
  const special = taskToken(model, options.specialToken, 'LT_T2T', context);
  const template = model.openPrompt('left', text, special);
  const result = await writeTexts(
    model,
    {
      prefix: template.ids,
      templateIds: template.textIds,
      end: config.leftLength,
      classes: config.textVocabulary,
      endFrom: model.bpeVocabulary,
      ...(allowed === undefined ? {} : { allowed }),
      defaults: TEXT_SAMPLING,
      options,
    },
    context,
  );
  const { left } = await scoreStreams(
    model,
    {
      prefixes: result.texts.map((written) => model.leftPrompt(written, special).ids),
      tails: [],
      streams: ['left'],
    },
    context,
  );
  return { ...result, textPerplexities: left! };
}

/** @throws RudolphError `bad-input` for ids that are no text ids of the model. */
export function checkAllowed(config: ModelConfig, allowed: readonly number[] | undefined): void {
  const vocabulary = bpeVocabularyOf(config);
  const wrong = allowed?.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
  if (wrong !== undefined)
    throw new RudolphError('bad-input', `allowed holds ${wrong}, expected text ids from 0 to ${vocabulary - 1}`);
}
