import type { SamplingOptions } from '../../src/tasks/types';
import type { Options } from './options';

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
  const count = options.integer('count', { min: 1, max: 1024 });
  const seed = options.integer('seed', { min: 0, max: 0xffffffff });
  const topK = options.integer('top-k', { min: 0, max: 0xffffffff });
  const topP = options.number('top-p');
  const temperature = options.number('temperature');
  return {
    ...(count === undefined ? {} : { count }),
    ...(seed === undefined ? {} : { seed }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(temperature === undefined ? {} : { temperature }),
  };
}

/** A special token by upstream's name, with or without angle brackets; `none` is null, not given is undefined. */
export function specialTokenOf(options: Options, name: string): string | null | undefined {
  const value = options.string(name);
  if (value === undefined) return undefined;
  return value === 'none' ? null : value.replace(/^<|>$/g, '');
}
