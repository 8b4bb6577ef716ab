import { parseArgs } from 'node:util';
import { RudolphError } from '../../src/errors';

/** What a command takes: option names without dashes. */
export interface OptionSpec {
  /** Options followed by a value. */
  readonly values?: readonly string[];
  /** Options followed by a value that may be given several times. */
  readonly lists?: readonly string[];
  /** Switches. */
  readonly flags?: readonly string[];
  /** What the words without dashes are, for messages ("texts"); absent: none are allowed. */
  readonly positionals?: string;
}

/** Limits of a number: inclusive, but for `above`. */
export interface Range {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
}

/**
 * A command's parsed arguments, read with checks: every method throws a RudolphError `bad-input` that names the option,
 * what was found and what is expected. `--` ends the options.
 *
 * ```ts
 * const options = new Options(args, { values: ['model', 'count'], flags: ['json'], positionals: 'texts' });
 * const count = options.integer('count', { min: 1, max: 64 }) ?? 4;
 * ```
 */
export class Options {
  readonly #values: Record<string, string | boolean | string[] | undefined>;
  readonly positionals: readonly string[];

  constructor(args: readonly string[], spec: OptionSpec) {
    const options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean }> = {};
    for (const name of spec.values ?? []) options[name] = { type: 'string' };
    for (const name of spec.lists ?? []) options[name] = { type: 'string', multiple: true };
    for (const name of spec.flags ?? []) options[name] = { type: 'boolean' };
    try {
      const parsed = parseArgs({
        args: joinNegative(args, options),
        options,
        allowPositionals: true,
        strict: true,
        tokens: true,
      });
      refuseRepeated(parsed.tokens, spec);
      this.#values = parsed.values as Record<string, string | boolean | string[] | undefined>;
      this.positionals = parsed.positionals;
    } catch (error) {
      if (error instanceof RudolphError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new RudolphError('bad-input', message.replaceAll('\n', ' '));
      // Mostly a slip; Node's sentence tells about texts that begin with a dash only.
      const names = Object.keys(options).map((name) => `--${name}`);
      const [unknown] = /'.*?'/.exec(message) ?? ['that'];
      throw new RudolphError(
        'bad-input',
        `there is no option ${unknown}; there are ${names.join(', ')}${spec.positionals ? `, and "--" before ${spec.positionals} that begin with a dash` : ''} (--help explains them)`,
      );
    }
    if (spec.positionals === undefined && this.positionals.length > 0) {
      throw new RudolphError(
        'bad-input',
        `"${this.positionals[0]}" belongs to no option (words with spaces need quotes)`,
      );
    }
  }

  /** Whether a switch is set. */
  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** An option's value, or undefined. An empty value counts as a value. */
  string(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** A value that must be given. `what` says what it is: "--model is missing: the folder of a web model". */
  required(name: string, what: string): string {
    const value = this.string(name);
    if (value === undefined) throw new RudolphError('bad-input', `--${name} is missing: ${what}`);
    if (value.trim() === '') throw new RudolphError('bad-input', `--${name} is empty: expected ${what}`);
    return value;
  }

  /** A text that must be given, but may be empty. */
  text(name: string, what: string): string {
    return this.string(name) ?? this.required(name, what);
  }

  /** All values of an option of `lists`, in their order; empty ones count. */
  all(name: string): readonly string[] {
    const values = this.#values[name];
    return Array.isArray(values) ? values : [];
  }

  /** `all`, of which there must be at least one. */
  someOf(name: string, what: string): readonly string[] {
    const values = this.all(name);
    if (values.length === 0) throw new RudolphError('bad-input', `--${name} is missing: ${what}`);
    return values;
  }

  /** `someOf`, none of which may be empty. */
  requiredOf(name: string, what: string): readonly string[] {
    const values = this.someOf(name, what);
    if (values.some((value) => value.trim() === ''))
      throw new RudolphError('bad-input', `--${name} is empty: expected ${what}`);
    return values;
  }

  /** A text with `{}` in it. */
  template(name: string): string | undefined {
    const value = this.string(name);
    if (value === undefined || value.includes('{}')) return value;
    throw new RudolphError('bad-input', `--${name} is "${value}"; expected a text with {} where the other text goes`);
  }

  /** One of several words. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.string(name);
    if (value === undefined || choices.includes(value as T)) return value as T | undefined;
    throw new RudolphError('bad-input', `--${name} is "${value}"; it can be ${choices.join(', ')}`);
  }

  /** A whole number within limits. */
  integer(name: string, range: Range = {}): number | undefined {
    const text = this.string(name);
    if (text === undefined) return undefined;
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    return check(name, text, value, Number.isSafeInteger(value), 'a whole number', range);
  }

  /** Whole numbers within limits, separated by commas; `length`: so many of them. */
  integers(name: string, range: Range & { readonly length?: number } = {}): number[] | undefined {
    const text = this.string(name);
    if (text === undefined) return undefined;
    const parts = text.split(',').map((part) => part.trim());
    const right = range.length === undefined || parts.length === range.length;
    const kind = `${range.length === undefined ? '' : `${range.length} `}comma-separated whole numbers`;
    return parts.map((part) => {
      const value = /^[+-]?\d+$/.test(part) ? Number(part) : NaN;
      return check(name, text, value, right && Number.isSafeInteger(value), kind, range);
    });
  }

  /** A number within limits. */
  number(name: string, range: Range = {}): number | undefined {
    const text = this.string(name);
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? NaN : Number(text);
    return check(name, text, value, Number.isFinite(value), 'a number', range);
  }
}

/** Node takes whatever begins with a dash for an option; a number is none, and what is expected of it is ours to say. */
function joinNegative(args: readonly string[], options: Record<string, { readonly type: string }>): string[] {
  const joined: string[] = [];
  for (const [k, arg] of args.entries()) {
    if (arg === '--') return [...joined, ...args.slice(k)];
    const before = joined.at(-1);
    if (/^-\d/.test(arg) && before?.startsWith('--') && options[before.slice(2)]?.type === 'string')
      joined[joined.length - 1] = `${before}=${arg}`;
    else joined.push(arg);
  }
  return joined;
}

/** Node would keep the last value, and nobody would see that the others are not used. */
function refuseRepeated(tokens: readonly { kind: string; name?: string }[], { values = [] }: OptionSpec): void {
  const seen = new Set<string>();
  for (const { kind, name } of tokens) {
    if (kind !== 'option' || name === undefined || !values.includes(name)) continue;
    if (seen.has(name)) throw new RudolphError('bad-input', `--${name} is given twice; this command takes one`);
    seen.add(name);
  }
}

/** What was given: an option left out must not overwrite a task's default by `undefined`. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function check(
  name: string,
  text: string,
  value: number,
  valid: boolean,
  kind: string,
  { min, above, max }: Range,
): number {
  if (valid && value >= (min ?? -Infinity) && value > (above ?? -Infinity) && value <= (max ?? Infinity)) return value;
  const limits =
    above !== undefined
      ? ` above ${above}${max === undefined ? '' : ` and at most ${max}`}`
      : min !== undefined && max !== undefined
        ? ` from ${min} to ${max}`
        : min !== undefined
          ? ` of at least ${min}`
          : max !== undefined
            ? ` of at most ${max}`
            : '';
  throw new RudolphError('bad-input', `--${name} is "${text}"; expected ${kind}${limits}`);
}
