/** Candidates computed in one batch at most; more are drawn in several. */
export const MOST_CANDIDATES = 48;

/** A random seed, for when the caller names none. */
export function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

interface Filtering {
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly temperature?: number | undefined;
}

/** The sampling options that were given: `undefined` means "the default" and must not overwrite it. */
export function given({ topK, topP, temperature }: Filtering): { topK?: number; topP?: number; temperature?: number } {
  return {
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(temperature === undefined ? {} : { temperature }),
  };
}
