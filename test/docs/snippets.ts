import { readFileSync } from 'node:fs';

/** README and guides: every snippet in them is run by a test. */
export const GUIDES = ['README.md', 'docs/widget.md', 'docs/hosting.md', 'docs/your-own-checkpoint.md'] as const;
export type Guide = (typeof GUIDES)[number];

export interface Snippet {
  readonly file: Guide;
  /** Of its first line, from 1. */
  readonly line: number;
  /** '' where the fence names none. */
  readonly language: string;
  readonly code: string;
}

/** All snippets, in their order. */
export function readSnippets(): Snippet[] {
  return GUIDES.flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
      file,
      line: text.slice(0, match.index).split('\n').length + 1,
      language: match[1]!,
      code: match[2]!,
    }));
  });
}

/** Hands out snippets, and knows which have not been asked for. */
export class Snippets {
  readonly #left: Set<Snippet>;

  constructor(...languages: readonly string[]) {
    this.#left = new Set(readSnippets().filter(({ language }) => languages.includes(language)));
  }

  /** Where the snippets are that no test has asked for. */
  get left(): string[] {
    return [...this.#left].map(({ file, line }) => `${file}:${line}`);
  }

  /** The only one that is left in a guide with these words. */
  take(file: Guide, words: string): Snippet {
    const found = [...this.#left].filter((snippet) => snippet.file === file && snippet.code.includes(words));
    if (found.length !== 1)
      throw new Error(
        `${found.length} snippets of ${file} have "${words}": ${found.map(({ line }) => line).join(', ')}`,
      );
    this.#left.delete(found[0]!);
    return found[0]!;
  }
}
