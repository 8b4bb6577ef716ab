import type { SamplingOptions } from '../index';
import { iconButton } from './controls';
import { element } from './dom';
import { LocalError } from './explain';
import { say, shortNumber, t } from './language';
import type { Strings } from './strings';

type Sentence = (strings: Strings) => string;
type Value = string | number;

/** A row of choices of which one holds. */
export interface Segments<V extends Value> {
  readonly root: HTMLFieldSetElement;
  readonly value: V;
  choose(value: V): void;
}

/**
 * Makes a row of choices; numbers speak for themselves, words come with a sentence.
 * @param id of the fieldset, and name of its inputs
 */
export function createSegments<V extends Value>(
  id: string,
  legend: Sentence,
  choices: readonly (readonly [value: V, label?: Sentence])[],
  chosen: V,
  changed?: (value: V) => void,
): Segments<V> {
  const row = element('div', { className: 'segments-row' });
  const inputs = new Map<V, HTMLInputElement>();
  let current = chosen;
  const choose = (value: V): void => {
    current = value;
    inputs.get(value)!.checked = true;
    changed?.(value);
  };
  for (const [value, label] of choices) {
    const input = element('input', {
      type: 'radio',
      name: id,
      value: String(value),
      checked: value === chosen,
      className: 'visually-hidden',
    });
    input.addEventListener('change', () => choose(value));
    inputs.set(value, input);
    row.append(
      element(
        'label',
        {},
        input,
        say(element('span'), () => label?.(t()) ?? String(value)),
      ),
    );
  }
  const root = element(
    'fieldset',
    { id, className: 'segments' },
    say(element('legend'), () => legend(t())),
    row,
  );
  return {
    root,
    get value() {
      return current;
    },
    choose,
  };
}

/** A labelled line of input. `label` may be a name that is the same in every language. */
export function createField(
  id: string,
  label: Sentence | string,
  {
    hint,
    placeholder,
    mode,
    lang,
  }: { hint?: Sentence; placeholder?: Sentence | string; mode?: 'numeric' | 'decimal'; lang?: string } = {},
): { readonly root: HTMLElement; readonly input: HTMLInputElement } {
  const input = element('input', { id, type: 'text', autocomplete: 'off' });
  if (placeholder) say(input, () => (typeof placeholder === 'string' ? placeholder : placeholder(t())), 'placeholder');
  if (mode) input.inputMode = mode;
  if (lang) input.lang = lang;
  const root = element(
    'div',
    { className: 'field' },
    say(element('label', { htmlFor: id }), () => (typeof label === 'string' ? label : label(t()))),
    input,
  );
  if (hint) {
    input.setAttribute('aria-describedby', `${id}-hint`);
    root.append(say(element('p', { className: 'hint', id: `${id}-hint` }), () => hint(t())));
  }
  return { root, input };
}

/** Settings that most people never need, folded away. */
export function createAdvanced(...fields: readonly HTMLElement[]): HTMLDetailsElement {
  return element(
    'details',
    { className: 'advanced' },
    say(element('summary'), () => t().advanced),
    element('div', { className: 'advanced-fields' }, ...fields),
  );
}

/** Seed, top-k, top-p and temperature of a task. */
export class SamplingFields {
  readonly seed: HTMLElement;
  /** All but the seed. */
  readonly fields: readonly HTMLElement[];
  readonly #inputs: Readonly<Record<'seed' | 'topK' | 'topP' | 'temperature', HTMLInputElement>>;

  /** @param task before each id @param defaults what the library takes where a field is empty. */
  constructor(task: string, defaults: { readonly topK: number; readonly topP: number; readonly temperature: number }) {
    const seed = createField(`${task}-seed`, (strings) => strings.seed, { mode: 'numeric' });
    seed.input.maxLength = 10;
    say(seed.input, () => t().seedRandom, 'placeholder');
    const newSeed = iconButton(
      'seed',
      () => t().newSeed,
      () => this.setSeed(crypto.getRandomValues(new Uint32Array(1))[0]!),
    );
    say(newSeed, () => `${t().newSeed}. ${t().seedHint}`, 'title');
    const joined = element('div', { className: 'joined' });
    seed.input.replaceWith(joined);
    joined.append(seed.input, newSeed);
    this.seed = seed.root;
    this.seed.classList.add('seed');

    const topK = createField(`${task}-top-k`, 'top-k', {
      hint: (strings) => strings.topKHint,
      placeholder: () => shortNumber(defaults.topK),
      mode: 'numeric',
    });
    const topP = createField(`${task}-top-p`, 'top-p', {
      hint: (strings) => strings.topPHint,
      placeholder: () => shortNumber(defaults.topP),
      mode: 'decimal',
    });
    const temperature = createField(`${task}-temperature`, (strings) => strings.temperature, {
      hint: (strings) => strings.temperatureHint,
      placeholder: () => shortNumber(defaults.temperature),
      mode: 'decimal',
    });
    this.fields = [topK.root, topP.root, temperature.root];
    this.#inputs = { seed: seed.input, topK: topK.input, topP: topP.input, temperature: temperature.input };
  }

  setSeed(seed: number): void {
    this.#inputs.seed.value = String(seed);
    this.#inputs.seed.removeAttribute('aria-invalid');
  }

  /**
   * What was filled in; empty fields are left out.
   * @throws LocalError for a value out of range, after putting the focus on its field.
   */
  read(): SamplingOptions {
    const whole = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
    const seed = readNumber(this.#inputs.seed, whole, (strings) => strings.badSeed);
    const topK = readNumber(this.#inputs.topK, whole, (strings) => strings.badTopK);
    const topP = readNumber(
      this.#inputs.topP,
      (value) => value > 0 && value <= 1,
      (strings) => strings.badTopP,
    );
    const temperature = readNumber(
      this.#inputs.temperature,
      (value) => Number.isFinite(value) && value > 0,
      (strings) => strings.badTemperature,
    );
    return {
      ...(seed === undefined ? {} : { seed }),
      ...(topK === undefined ? {} : { topK }),
      ...(topP === undefined ? {} : { topP }),
      ...(temperature === undefined ? {} : { temperature }),
    };
  }
}

/** Upstream's defaults, which empty fields stand for. */
export const IMAGE_DEFAULTS = { topK: 768, topP: 0.99, temperature: 1 } as const;
export const TEXT_DEFAULTS = { topK: 64, topP: 0.8, temperature: 0.9 } as const;
export const ANSWER_DEFAULTS = { topK: 32, topP: 0.8, temperature: 1 } as const;

/** A number, with a point or a comma; undefined where nothing was filled in. */
export function readNumber(
  input: HTMLInputElement,
  accepts: (value: number) => boolean,
  sentence: Sentence,
): number | undefined {
  const text = input.value.trim().replace(',', '.');
  input.removeAttribute('aria-invalid');
  if (text === '') return undefined;
  const value = Number(text);
  if (accepts(value)) return value;
  return refuse(input, sentence);
}

/** A text with a place `{}` for another one; undefined where nothing was filled in. */
export function readTemplate(input: HTMLInputElement): string | undefined {
  const text = input.value.trim();
  input.removeAttribute('aria-invalid');
  if (text === '') return undefined;
  return text.includes('{}') ? text : refuse(input, (strings) => strings.badTemplate);
}

function refuse(input: HTMLInputElement, sentence: Sentence): never {
  input.setAttribute('aria-invalid', 'true');
  const folded = input.closest('details');
  if (folded) folded.open = true;
  input.focus();
  throw new LocalError(sentence);
}
