import { RudolphError } from '../errors';
import type { LoadedModel } from './loadedModel';
import type { NoticeEvent, TaskContext } from './types';

/** Upstream's: 'on the picture'. Captions continue it. */
export const CAPTION_TEMPLATE = 'на картинке';
/** What FBC2 puts before a question; its maths questions carry their own. */
export const INSTRUCTIONS = {
  visual: 'ответь на вопрос по картинке.',
  text: 'определи правильный ответ по тексту.',
  maths: '',
  reading: 'распознай текст на картинке.',
} as const;

/** A message shows so much of a text: enough to know which one is meant. */
const SHOWN_LETTERS = 40;

/** @throws RudolphError `bad-input` when the template has no place `{}` for the text. */
export function fillTemplate(template: string, text: string): string {
  if (!template.includes('{}'))
    throw new RudolphError(
      'bad-input',
      `the template "${template}" has no {}, which says where the text goes, e.g. "на картинке {}"`,
    );
  return template.replaceAll('{}', () => text); // a function: in a string, $& and $$ would be patterns
}

/** @throws RudolphError `bad-input` for what is no text, or an empty one where one is needed. */
export function checkText(what: string, text: unknown, example?: string): asserts text is string {
  if (typeof text === 'string' && (example === undefined || text.trim() !== '')) return;
  const found = typeof text === 'string' ? 'empty' : `of type ${text === null ? 'null' : typeof text}`;
  throw new RudolphError(
    'bad-input',
    `${what} is ${found}${example ? `, expected a Russian text, e.g. «${example}»` : ', expected a text'}`,
  );
}

/** The left text, with what is cut off reported. */
export function leftPrompt(
  model: LoadedModel,
  text: string,
  special: string | null,
  context: TaskContext<NoticeEvent>,
): readonly number[] {
  return reportCut(text, model.leftPrompt(text, special), context);
}

/** The right text to score, with what is cut off reported. */
export function rightPrompt(
  model: LoadedModel,
  text: string,
  special: string | null,
  context: TaskContext<NoticeEvent>,
): readonly number[] {
  return reportCut(text, model.rightPrompt(text, special), context);
}

function reportCut(
  text: string,
  { ids, count: used, cut }: ReturnType<LoadedModel['leftPrompt']>,
  { onEvent }: TaskContext<NoticeEvent>,
): readonly number[] {
  const total = used + cut;
  if (cut > 0)
    onEvent?.({
      type: 'notice',
      code: 'text-cut',
      message: `the text «${shortened(text)}» is too long: only its first ${used} of ${total} tokens were used`,
      details: { used, total },
    });
  return ids;
}

function shortened(text: string): string {
  return text.length > SHOWN_LETTERS ? `${text.slice(0, SHOWN_LETTERS)}…` : text;
}

/** The token asked for, else the task's own one; says so where the model was not trained for the task. */
export function taskToken(
  model: LoadedModel,
  asked: string | null | undefined,
  name: string,
  { onEvent }: TaskContext<NoticeEvent>,
): string | null {
  if (asked !== undefined) return asked;
  const token = model.taskToken(name);
  if (!token.known && token.name !== null && name.startsWith('LT_'))
    onEvent?.({
      type: 'notice',
      code: 'untrained',
      message: `the model has no token ${name}: it was not trained for this task, ${token.name} stands in`,
      details: { token: name, standIn: token.name },
    });
  return token.name;
}
