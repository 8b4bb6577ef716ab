import { RudolphError } from '../errors';
import { MergeQueue } from './mergeQueue';

/** U+2581: what YouTokenToMe writes for the blank before a word. */
const WORD_START = '\u2581'.codePointAt(0)!;
/** What separates words. Not U+00A0 nor U+3000. */
const BLANKS = new Set([WORD_START, 0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]);
/** UTF-16 units of a piece. Words are shorter; rules that double the piece before them would make texts that no memory holds. */
const MOST_PIECE = 1024;
const PLACEHOLDERS = ['<UNK>', '<PAD>', '<BOS>', '<EOS>'] as const;

export interface MergeRule {
  readonly result: number;
  /** Line of the rule; lower ones go first. */
  readonly rank: number;
}

/**
 * YouTokenToMe's byte pair encoding, id for id. Works by code point.
 *
 * @example
 * const tokenizer = Tokenizer.parse(bytes);
 * tokenizer.decode(tokenizer.encode('красный круг')); // 'красный круг'
 */
export class Tokenizer {
  readonly unk: number;
  readonly pad: number;
  readonly bos: number;
  readonly eos: number;
  /** Ids 0…vocabularySize−1. */
  readonly vocabularySize: number;
  /** Text of every id, with ▁ for the blank before a word. */
  readonly #pieces: readonly string[];
  readonly #characters: ReadonlyMap<number, number>;
  /** By `left · vocabularySize + right`. */
  readonly #rules: ReadonlyMap<number, MergeRule>;

  private constructor(
    pieces: readonly string[],
    characters: ReadonlyMap<number, number>,
    rules: ReadonlyMap<number, MergeRule>,
    special: readonly number[],
  ) {
    this.#pieces = pieces;
    this.#characters = characters;
    this.#rules = rules;
    this.vocabularySize = pieces.length;
    [this.unk, this.pad, this.bos, this.eos] = special as [number, number, number, number];
  }

  /**
   * Reads a `bpe.model`: `n_chars n_rules`; lines `codepoint id`; lines `x y z` (x+y→z); `unk pad bos eos`.
   * @throws RudolphError `bad-checkpoint` naming the line.
   */
  static parse(bytes: Uint8Array, label = 'bpe.model'): Tokenizer {
    const lines = new TextDecoder().decode(bytes).split('\n');
    const fail = (line: number, what: string): never => {
      throw new RudolphError(
        'bad-checkpoint',
        `${label} is not a usable YouTokenToMe model: line ${line + 1} ${what}`,
        { file: label, line: line + 1 },
      );
    };
    const numbers = (line: number, count: number): number[] => {
      if (line >= lines.length || (line === lines.length - 1 && lines[line] === ''))
        fail(line, 'is missing (the file is truncated)');
      const words = lines[line]!.trim().split(/\s+/);
      if (words.length !== count || !words.every((word) => /^-?\d{1,10}$/.test(word))) {
        fail(line, `is ${JSON.stringify(lines[line]!.slice(0, 40))}, expected ${count} whole numbers`);
      }
      return words.map(Number);
    };
    const [characterCount, ruleCount] = numbers(0, 2) as [number, number];
    if (characterCount < 0 || ruleCount < 0 || 1 + characterCount + ruleCount >= lines.length) {
      fail(0, `announces ${characterCount} characters and ${ruleCount} rules, the file has ${lines.length} lines`);
    }
    const specialLine = 1 + characterCount + ruleCount;
    const special = numbers(specialLine, 4);
    // −1: switched off when the model was trained. Pads are written as 0 whatever the file says; the others prompts cannot do without.
    for (const k of [0, 2, 3]) if (special[k]! < 0) fail(specialLine, `has no id for ${PLACEHOLDERS[k]}`);
    const present = special.filter((id) => id >= 0);
    const size = characterCount + ruleCount + new Set(present).size;
    const pieces = new Array<string>(size);
    const place = (line: number, id: number, piece: string) => {
      if (!(id >= 0 && id < size)) fail(line, `has the id ${id}, expected 0 to ${size - 1}`);
      if (pieces[id] !== undefined && pieces[id] !== piece) fail(line, `uses the id ${id} a second time`);
      pieces[id] = piece;
    };
    special.forEach((id, k) => id >= 0 && place(specialLine, id, PLACEHOLDERS[k]!));
    const characters = new Map<number, number>();
    for (let line = 1; line <= characterCount; line++) {
      const [codePoint, id] = numbers(line, 2) as [number, number];
      if (codePoint < 0 || codePoint > 0x10ffff) fail(line, `has the code point ${codePoint}`);
      place(line, id, String.fromCodePoint(codePoint));
      characters.set(codePoint, id);
    }
    const rules = new Map<number, MergeRule>();
    for (let line = 1 + characterCount; line < specialLine; line++) {
      const [left, right, result] = numbers(line, 3) as [number, number, number];
      const [leftPiece, rightPiece] = [pieces[left], pieces[right]];
      if (leftPiece === undefined || rightPiece === undefined)
        return fail(line, `merges the ids ${left} and ${right}, one of which is not known yet`);
      if (leftPiece.length + rightPiece.length > MOST_PIECE)
        fail(line, `makes a piece of over ${MOST_PIECE} characters`);
      place(line, result, leftPiece + rightPiece);
      rules.set(left * size + right, { result, rank: line }); // for a repeated pair the last line wins
    }
    for (let id = 0; id < size; id++) pieces[id] ??= '';
    return new Tokenizer(pieces, characters, rules, special);
  }

  /** The ids of a text, without bos and eos; neither lower-cased nor stripped. Blanks at the ends vanish, runs count once. */
  encode(text: string): number[] {
    return this.#segments(text).map(({ id }) => id);
  }

  /** The pieces of a text, as `encode` cuts it: unknown characters as they are. */
  subwords(text: string): string[] {
    return this.#segments(text).map(({ id, text: unknown }) => unknown ?? this.#pieces[id]!);
  }

  /** The text of an id with ▁ for the blank; null when there is no such id. */
  piece(id: number): string | null {
    return this.#pieces[id] ?? null;
  }

  /**
   * The text of ids, those of `ignore` left out.
   * @throws RudolphError `bad-input` when an id is not of the vocabulary.
   */
  decode(ids: Iterable<number>, ignore: Iterable<number> = []): string {
    const skipped = new Set(ignore);
    let text = '';
    let first = true;
    for (const id of ids) {
      if (skipped.has(id)) continue;
      const piece = this.#pieces[id];
      if (piece === undefined) {
        throw new RudolphError(
          'bad-input',
          `token id ${id} is not of the vocabulary (0 to ${this.vocabularySize - 1})`,
          { id },
        );
      }
      const isWord = piece.codePointAt(0) === WORD_START;
      text += isWord ? (first ? '' : ' ') + piece.slice(1) : piece;
      first = false;
    }
    return text;
  }

  /** Word by word: ids, and for unknown runs the characters they stand for. */
  #segments(text: string): { id: number; text?: string }[] {
    const segments: { id: number; text?: string }[] = [];
    const words = new Map<string, { id: number; text?: string }[]>(); // prompts repeat words
    let word = '';
    const flush = () => {
      if (word === '') return;
      let known = words.get(word);
      if (!known) words.set(word, (known = this.#word(word)));
      for (const segment of known) segments.push(segment);
      word = '';
    };
    for (const character of text) {
      if (BLANKS.has(character.codePointAt(0)!)) flush();
      else word += character;
    }
    flush();
    return segments;
  }

  /** ▁ and the characters; runs of unknown ones are one unk, and merges never cross it. */
  #word(word: string): { id: number; text?: string }[] {
    const segments: { id: number; text?: string }[] = [];
    let known: number[] = [];
    let unknown = '';
    const flushKnown = () => {
      for (const id of new MergeQueue(known, this.#rules, this.vocabularySize).merge()) segments.push({ id });
      known = [];
    };
    const flushUnknown = () => {
      if (unknown !== '') segments.push({ id: this.unk, text: unknown });
      unknown = '';
    };
    for (const character of String.fromCodePoint(WORD_START) + word) {
      const id = this.#characters.get(character.codePointAt(0)!);
      if (id === undefined) {
        if (unknown === '') flushKnown();
        unknown += character;
      } else {
        flushUnknown();
        known.push(id);
      }
    }
    flushKnown();
    flushUnknown();
    return segments;
  }
}
