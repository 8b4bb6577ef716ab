/** Upstream's defaults for pictures. */
export const IMAGE_SAMPLING = { topK: 768, topP: 0.99, temperature: 1 } as const;
/** Upstream's defaults for texts. */
export const TEXT_SAMPLING = { topK: 64, topP: 0.8, temperature: 0.9 } as const;
/** FBC2's defaults for texts: its tasks answer questions and read. */
export const ANSWER_SAMPLING = { topK: 32, topP: 0.8, temperature: 1 } as const;

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
