import { score, type ScoreRequest } from '../model/score';
import type { LoadedModel } from './loadedModel';
import type { ProgressEvent, TaskContext } from './types';

/** `score` as part of a task: its progress and cancelling are the task's. */
export function scoreStreams(
  model: LoadedModel,
  request: Pick<ScoreRequest, 'prefixes' | 'tails' | 'streams'>,
  { signal, onEvent }: TaskContext<ProgressEvent<'scores'>>,
): ReturnType<typeof score> {
  return score(model.transformer, {
    ...request,
    ...(signal ? { signal } : {}),
    onProgress: (done, total) => onEvent?.({ type: 'progress', stage: 'scores', done, total }),
  });
}
