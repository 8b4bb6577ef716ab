import type { Engine } from '../../src/tasks/engine';
import type { TaskContext, TaskName, TaskTypes } from '../../src/tasks/types';
import { withEngine } from './engine';
import type { Options } from './options';
import { status } from './output';

/** What any task may tell. */
type TaskEvent = TaskTypes[TaskName]['event'];

/** What a task is handed beside its own arguments. */
export type CliContext = TaskContext<TaskEvent>;

/** Runs a task on --model's engine; its progress and notices go to stderr. */
export function runTask<Result>(
  options: Options,
  signal: AbortSignal,
  task: (engine: Engine, context: CliContext) => Promise<Result>,
): Promise<Result> {
  return withEngine(options, signal, (engine) => task(engine, { signal, onEvent: tell }));
}

function tell(event: TaskEvent): void {
  if (event.type === 'progress') status(`${event.stage}: ${Math.floor((100 * event.done) / event.total)} %`);
  if (event.type === 'notice') status(`note: ${event.message}`, { done: true });
}
