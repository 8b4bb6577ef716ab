/** The page's defaults for pictures (src/tasks/sampling.ts). */
const TOP_K = 768;
const TOP_P = 0.99;

/**
 * Draws a class as transformers.js does: in JavaScript, from logits that were read back. Top-k by sorting, softmax, top-p (the class that
 * crosses p stays), then one random number.
 */
export function pickToken(logits: Float32Array, random: () => number = Math.random): number {
  const order = Array.from(logits, (_, i) => i).sort((a, b) => logits[b]! - logits[a]!);
  const kept = Math.min(TOP_K, order.length);
  const largest = logits[order[0]!]!;
  const weights = new Float32Array(kept);
  let total = 0;
  for (let i = 0; i < kept; i++) total += weights[i] = Math.exp(logits[order[i]!]! - largest);
  let mass = 0;
  let count = 0;
  while (count < kept && mass <= TOP_P * total) mass += weights[count++]!;
  let point = random() * mass;
  for (let i = 0; i < count; i++) {
    point -= weights[i]!;
    if (point <= 0) return order[i]!;
  }
  return order[count - 1]!;
}
