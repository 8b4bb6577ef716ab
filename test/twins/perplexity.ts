/**
 * Plain-loop twin of shaders/token_losses.wgsl and shaders/perplexities.wgsl, in double precision: the mean of exp(cross-entropy) over
 * rows of logits. A loss that f32 cannot tell from 0 drops out; 1 where nothing is left.
 */
export function perplexity(logits: readonly ArrayLike<number>[], labels: readonly number[]): number {
  let sum = 0;
  let count = 0;
  labels.forEach((label, t) => {
    let maximum = -Infinity;
    for (let n = 0; n < logits[t]!.length; n++) maximum = Math.max(maximum, logits[t]![n]!);
    let total = 0;
    for (let n = 0; n < logits[t]!.length; n++) total += Math.exp(logits[t]![n]! - maximum);
    const loss = Math.log(total) + maximum - logits[t]![label]!;
    if (loss < 2 ** -24) return;
    sum += Math.exp(loss);
    count++;
  });
  return count === 0 ? 1 : sum / count;
}

/** Where the streams lie, and what their softmax is over. */
export interface TwinStreams {
  readonly left: number; // length
  readonly image: number; // length
  readonly textClasses: number;
  readonly imageClasses: number;
  /** Of a row of logits: text classes with pads, then image classes. */
  readonly textVocabulary: number;
}

/**
 * Perplexities of a sequence from the logits of every position: position p predicts the id at p + 1, texts skip labels 0.
 * @param rows (length, classes) logits of each position.
 */
export function streamPerplexities(
  streams: TwinStreams,
  ids: readonly number[],
  rows: readonly ArrayLike<number>[],
): { left: number; image: number; right: number } {
  const { left, image, textClasses, imageClasses, textVocabulary } = streams;
  const of = (start: number, end: number, isText: boolean): number => {
    const positions: number[] = [];
    for (let p = start + 1; p < Math.min(end, ids.length); p++) if (!isText || ids[p] !== 0) positions.push(p);
    return perplexity(
      positions.map((p) =>
        Array.from(rows[p - 1]!).slice(
          isText ? 0 : textVocabulary,
          isText ? textClasses : textVocabulary + imageClasses,
        ),
      ),
      positions.map((p) => ids[p]!),
    );
  };
  return { left: of(0, left, true), image: of(left, left + image, false), right: of(left + image, ids.length, true) };
}
