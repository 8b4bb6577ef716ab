import { END, generate } from '../model/generate';
import { Attempt } from './journal';
import type { LoadedModel } from './loadedModel';
import { drawSeed, given } from './sampling';
import type { SamplingOptions, TaskContext, TextEvent, TextResult } from './types';

export interface WritingRequest {
  /** Ids from position 0 on, the template's included. */
  readonly prefix: readonly number[];
  /** Those of the template, with which every text begins. */
  readonly templateIds: readonly number[];
  /** One behind the last position of the stream that is written. */
  readonly end: number;
  readonly classes: number;
  /** Ids from here on count as the end. */
  readonly endFrom?: number;
  readonly allowed?: readonly number[];
  readonly defaults: { readonly topK: number; readonly topP: number; readonly temperature: number };
  readonly options: SamplingOptions;
}

/** Drafts texts behind a shared beginning and counts those that are alike. */
export async function writeTexts(
  model: LoadedModel,
  { prefix, templateIds, end, classes, endFrom, allowed, defaults, options }: WritingRequest,
  { signal, onEvent, attempt = new Attempt() }: TaskContext<TextEvent>,
): Promise<TextResult> {
  const count = options.count ?? 1;
  const seed = options.seed ?? attempt.number(drawSeed);
  const textOf = (ids: ArrayLike<number>, known: number): { ids: number[]; text: string } => {
    const written = Array.from(ids).slice(0, known);
    const stop = written.indexOf(END);
    const all = [...templateIds, ...(stop < 0 ? written : written.slice(0, stop))];
    return { ids: all, text: model.decodeText(all) };
  };
  onEvent?.({ type: 'progress', stage: 'prompt', done: 0, total: 1 });
  const drafts = await generate(model.transformer, model.sampler, {
    prefix,
    end,
    count,
    stream: 'text',
    classes,
    ...(endFrom === undefined ? {} : { endFrom }),
    ...(allowed === undefined ? {} : { allowed }),
    sampling: { ...defaults, ...given(options), seed },
    drawn: attempt.drawn(),
    ...(signal ? { signal } : {}),
    onPrefix: () => onEvent?.({ type: 'progress', stage: 'prompt', done: 1, total: 1 }),
    onProgress: (done, total) => onEvent?.({ type: 'progress', stage: 'tokens', done, total }),
    onTokens: (tokens, known) =>
      onEvent?.({ type: 'drafts', texts: tokens.map((ids, draft) => textOf(ids, known[draft]!).text) }),
  });

  const counted = new Map<string, { ids: number[]; count: number }>();
  for (const draft of drafts) {
    const { ids, text } = textOf(draft, draft.length);
    const entry = counted.get(text) ?? { ids, count: 0 };
    entry.count++;
    counted.set(text, entry);
  }
  // Sorting is stable: equally frequent texts stay in the order of their first draft.
  const sorted = [...counted].sort(([, a], [, b]) => b.count - a.count);
  return {
    texts: sorted.map(([text]) => text),
    counts: sorted.map(([, entry]) => entry.count),
    tokens: sorted.map(([, entry]) => entry.ids),
    seed,
  };
}
