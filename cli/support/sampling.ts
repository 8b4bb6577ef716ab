import type { SamplingOptions } from '../../src/tasks/types';
import { given, type Options } from './options';

export const SAMPLING_VALUES = ['count', 'seed', 'top-k', 'top-p', 'temperature'] as const;

/** Help text with a task's defaults. */
export const SAMPLING_USAGE = (
  topK: string,
  topP: string,
  temperature: string,
): string => `  --count N           how many at once (default: 1)
  --seed S            0 to 4294967295; the same seed gives the same result (default: a random one)
  --top-k K           keep the K most likely tokens, 0 keeps all, 1 is greedy (default: ${topK})
  --top-p P           of these keep the most likely with P of the probability (default: ${topP})
  --temperature T     above 0 (default: ${temperature})`;

/** The sampling options that were given. */
export function samplingOf(options: Options): SamplingOptions {
  return given({
    count: options.integer('count', { min: 1, max: 1024 }),
    seed: options.integer('seed', { min: 0, max: 0xffffffff }),
    topK: options.integer('top-k', { min: 0, max: 0xffffffff }),
    topP: options.number('top-p', { above: 0, max: 1 }),
    temperature: options.number('temperature', { above: 0 }),
  });
}
