import { score, type ScoreRequest } from '../model/score';
import { Attempt } from './journal';
import type { LoadedModel } from './loadedModel';
import type { ProgressEvent, TaskContext } from './types';

/** `score` as part of a task: its progress and cancelling are the task's. */
export async function scoreStreams(
  model: LoadedModel,
  request: Pick<ScoreRequest, 'prefixes' | 'tails' | 'streams'>,
  { signal, onEvent, attempt = new Attempt() }: TaskContext<ProgressEvent<'scores'>>,
): ReturnType<typeof score> {
  const { value } = await attempt.once(() =>
    score(model.transformer, {
      ...request,
      ...(signal ? { signal } : {}),
      onProgress: (done, total) => onEvent?.({ type: 'progress', stage: 'scores', done, total }),
    }),
  );
  return value;
}
