import {
  type ErrorCode,
  type ErrorDetails,
  type NoticeEvent,
  type RgbaImage,
  type Rudolph,
  RudolphError,
} from '../index';
import type { RudolphWidget, WidgetProgress, WidgetResult, WidgetTask } from './api';
import type { Problem } from './strings';

/** What any task tells. */
export type AnyEvent =
  | NoticeEvent
  | {
      readonly type: 'progress';
      readonly stage: WidgetProgress['stage'];
      readonly done: number;
      readonly total: number;
    }
  | { readonly type: 'drafts'; readonly texts: readonly string[] }
  | { readonly type: 'preview'; readonly images: readonly RgbaImage[] }
  | { readonly type: 'picture'; readonly candidate: number; readonly image: RgbaImage };

/** What a task needs of the visitor. */
interface Needs {
  /** A text in the field. */
  readonly prompt: boolean;
  readonly picture: 'required' | 'optional' | 'none';
}

const NEEDS: Readonly<Record<WidgetTask, Needs>> = {
  draw: { prompt: true, picture: 'none' },
  caption: { prompt: false, picture: 'required' },
  answer: { prompt: true, picture: 'optional' },
  read: { prompt: false, picture: 'required' },
  classify: { prompt: false, picture: 'required' },
  continue: { prompt: true, picture: 'none' },
};

/** What stands in an unknown `task` attribute is a mistake of the page: it is shown as `draw` and refused when it is started. */
export function needsOf(task: string): Needs {
  return NEEDS[isTask(task) ? task : 'draw'];
}

export function isTask(task: string): task is WidgetTask {
  return Object.hasOwn(NEEDS, task);
}

/** @throws RudolphError `bad-input`, with what is missing as `details.problem`. */
export function check(widget: RudolphWidget): void {
  const { task, model, files, ownModel, prompt, picture, src, classes } = widget;
  if (!isTask(task)) refuse('bad-task', `task="${String(task)}" is none of ${Object.keys(NEEDS).join(', ')}`);
  if (!model && !files && ownModel) refuse('no-files', 'no files of a model were chosen');
  if (!model && !files)
    refuse('no-model', 'the widget names no model: give it the folder of one, model="models/embedded/"');
  const needs = NEEDS[task];
  if (needs.prompt && prompt.trim() === '') refuse('no-prompt', 'the prompt is empty');
  if (needs.picture === 'required' && !picture && !src) refuse('no-picture', 'no picture was chosen');
  if (task === 'classify' && classes.length === 0)
    refuse('no-classes', 'the widget names no classes: classes="кот, собака"');
}

function refuse(problem: Problem, message: string): never {
  throw new RudolphError('bad-input' satisfies ErrorCode, message, { problem } satisfies ErrorDetails);
}

/** Starts a widget's task; `picture` is there where the task requires one. */
export function start(
  rudolph: Rudolph,
  { task, prompt, classes, count, seed, options: own }: RudolphWidget,
  picture: RgbaImage | null,
  signal: AbortSignal,
): { readonly events: AsyncIterable<AnyEvent>; readonly result: Promise<WidgetResult> } {
  const draws = task === 'draw' || task === 'continue';
  const options = {
    ...(task === 'classify' ? {} : { count: count ?? (draws ? 1 : 4), ...(seed === null ? {} : { seed }) }),
    ...own,
    signal,
  };
  switch (task) {
    case 'draw':
      return named(task, rudolph.textToImage(prompt, options));
    case 'caption':
      return named(task, rudolph.caption(picture!, options));
    case 'answer':
      return named(task, rudolph.answer(prompt, picture, options));
    case 'read':
      return named(task, rudolph.readText(picture!, options));
    case 'classify':
      return named(task, rudolph.classify(picture!, classes, options));
    case 'continue':
      return named(task, rudolph.continueText(prompt, options));
  }
}

function named(task: WidgetTask, running: PromiseLike<unknown> & AsyncIterable<AnyEvent>) {
  const result = Promise.resolve(running).then((value) => ({ task, result: value }) as WidgetResult);
  result.catch(() => undefined); // the reader of the events gets it
  return { events: running, result };
}

/** Lines to show for a result, the best first, each with a share where there is one. */
export function linesOf(
  done: WidgetResult,
  classes: readonly string[],
): readonly { readonly text: string; readonly share: number | null }[] {
  if (done.task === 'draw') return [];
  if (done.task === 'classify') {
    const { probabilities } = done.result;
    return classes
      .map((text, k) => ({ text, share: probabilities[k] ?? 0 }))
      .sort((one, other) => other.share - one.share);
  }
  const { texts, counts } = done.result;
  const all = counts.reduce((sum, count) => sum + count, 0);
  return texts.map((text, k) => ({ text, share: all > 1 ? counts[k]! / all : null }));
}
