import type { Manifest } from '../../src/format/manifest';
import type { Engine } from '../../src/tasks/engine';
import { checkPicture, imageTokens } from '../../src/tasks/pictures';
import type { PictureTokens, TaskContext, TaskName, TaskTypes } from '../../src/tasks/types';
import { withEngine } from './engine';
import type { Options } from './options';
import { status } from './output';

/** What any task may tell. */
type TaskEvent = TaskTypes[TaskName]['event'];

/** What a task is handed beside its own arguments. */
export type CliContext = TaskContext<TaskEvent>;

/**
 * Runs a task on --model's engine; its progress and notices go to stderr.
 * @param check see `withEngine`
 */
export function runTask<Result>(
  options: Options,
  signal: AbortSignal,
  task: (engine: Engine, context: CliContext) => Promise<Result>,
  check?: (manifest: Manifest) => void | Promise<void>,
): Promise<Result> {
  return withEngine(options, signal, (engine) => task(engine, { signal, onEvent: tell }), check);
}

/**
 * `runTask` of a task that looks at a picture, or may do without one (null). Its tokens are computed once, for the task and for `codebook`
 * of the command's JSON; tokens that cannot be the model's are refused before its weights are read.
 */
export function runPictureTask<P extends PictureTokens | null, Result>(
  options: Options,
  signal: AbortSignal,
  picture: P,
  task: (engine: Engine, picture: readonly number[] | Extract<P, null>, context: CliContext) => Promise<Result>,
): Promise<{ readonly result: Result; readonly codebook: readonly number[] | null }> {
  return runTask(
    options,
    signal,
    async (engine, context) => {
      const [codebook = null] = await imageTokens(engine.model, picture === null ? [] : [picture], context);
      const result = await task(engine, codebook as readonly number[] | Extract<P, null>, context);
      return { result, codebook };
    },
    ({ config }) => {
      if (picture !== null) checkPicture(config, picture, 'the picture');
    },
  );
}

function tell(event: TaskEvent): void {
  if (event.type === 'progress') status(`${event.stage}: ${Math.floor((100 * event.done) / event.total)} %`);
  if (event.type === 'notice') status(`note: ${event.message}`, { done: true });
}
