import { RudolphError } from '../errors';
import { checkSampling } from '../model/sampler';
import type { LoadedModel } from './loadedModel';
import { imageTokens } from './pictures';
import { checkText, INSTRUCTIONS, leftPrompt, taskToken } from './prompts';
import { ANSWER_SAMPLING } from './sampling';
import { scoreStreams } from './scoring';
import type { AnswerOptions, AnswerResult, PictureTokens, ReadTextOptions, TaskContext, TextEvent } from './types';
import { writeTexts } from './writing';

/** FBC2's tokens of each kind of question, behind LT_ and RT_. */
const TOKENS = { visual: 'VQA', text: 'TQA', maths: 'MQA' } as const;

/**
 * Answers a question (fbc2_aij2022's VQA, TextQA and MathQA): the left text is instruction and question, then the picture, or
 * image ids 0 where the question is about the text, as in training; the answer is the right text, of BPE ids only.
 * @param picture what a visual question is about; null otherwise
 * @throws RudolphError `bad-input` for an empty question, a visual one without a picture or another one with it.
 */
export async function answer(
  model: LoadedModel,
  question: string,
  picture: PictureTokens | null,
  options: AnswerOptions,
  context: TaskContext<TextEvent>,
): Promise<AnswerResult> {
  checkText('the question', question, 'что стоит слева?');
  const kind = options.kind ?? (picture ? 'visual' : 'text');
  if (!Object.hasOwn(TOKENS, kind))
    throw new RudolphError('bad-input', `the kind of question is ${String(kind)}, expected visual, text or maths`);
  if ((kind === 'visual') !== (picture !== null && picture !== undefined))
    throw new RudolphError(
      'bad-input',
      kind === 'visual'
        ? 'a visual question needs a picture'
        : `a ${kind} question takes no picture; kind: 'visual' does`,
    );
  const instruction = options.instruction ?? INSTRUCTIONS[kind];
  const text = instruction === '' ? question : `${instruction} ${question}`;
  return respond(model, text, picture, TOKENS[kind], options, context);
}

/** Reads the text in a picture (fbc2_aij2022's text recognition). */
export async function readText(
  model: LoadedModel,
  picture: PictureTokens,
  options: ReadTextOptions,
  context: TaskContext<TextEvent>,
): Promise<AnswerResult> {
  return respond(model, options.instruction ?? INSTRUCTIONS.reading, picture, 'REC', options, context);
}

async function respond(
  model: LoadedModel,
  prompt: string,
  picture: PictureTokens | null,
  token: string,
  options: ReadTextOptions,
  context: TaskContext<TextEvent>,
): Promise<AnswerResult> {
  checkSampling(options);
  const { config } = model.manifest;
  const left = leftPrompt(model, prompt, taskToken(model, options.leftSpecialToken, `LT_${token}`, context), context);
  const rightToken = taskToken(model, options.rightSpecialToken, `RT_${token}`, context);
  const start = model.openPrompt('right', '', rightToken);
  const noPicture = new Array<number>(config.imageSide ** 2).fill(0);
  const [tokens] = picture ? await imageTokens(model, [picture], context) : [noPicture];
  const before = [...left, ...tokens!];
  const result = await writeTexts(
    model,
    {
      prefix: [...before, ...start.ids],
      templateIds: [],
      end: config.leftLength + config.imageSide ** 2 + config.rightLength,
      classes: model.bpeVocabulary,
      defaults: ANSWER_SAMPLING,
      options,
    },
    context,
  );
  if (!options.perplexities) return result;
  const tails = result.texts.map((text) => ({ prefix: 0, ids: model.rightPrompt(text, rightToken).ids }));
  const { right } = await scoreStreams(model, { prefixes: [before], tails, streams: ['right'] }, context);
  return { ...result, textPerplexities: right! };
}
