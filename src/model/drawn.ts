/**
 * Tokens of one call of `generate` as far as they are drawn. The call keeps it up to date, and begins where it ends: a drawing whose
 * device was lost goes on with it on another one.
 */
export class Drawn {
  #finished: readonly Uint32Array[] = [];
  #drawing: readonly Uint32Array[] = [];
  #known = 0;

  /** [finished candidates][end − prefix.length]. */
  get finished(): readonly Uint32Array[] {
    return this.#finished;
  }

  /** Tokens that there are: grows for as long as anything is drawn. */
  get total(): number {
    return this.#finished.reduce((sum, { length }) => sum + length, 0) + this.#drawing.length * this.#known;
  }

  /** @param drawing of the candidates behind the finished ones, of each the first `known` tokens. */
  note(finished: readonly Uint32Array[], drawing: readonly Uint32Array[], known: number): void {
    this.#finished = [...finished];
    this.#drawing = [...drawing];
    // Not all of them: whether the last ones are numbers is only known when a batch has ended.
    this.#known = Math.max(0, Math.min(known, (drawing[0]?.length ?? 0) - 1));
  }

  /** What is known of the candidates that follow the finished ones, if it is known of so many. */
  begun(candidates: number): { readonly tokens: readonly Uint32Array[]; readonly known: number } {
    const enough = this.#drawing.length >= candidates;
    return { tokens: this.#drawing, known: enough ? this.#known : 0 };
  }
}
