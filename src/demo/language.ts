import { type Language, STRINGS, type Strings } from './strings';

const STORE_KEY = 'rudolph-language';
/** What an element says, by attribute; '' is its text. */
const said = new WeakMap<Element, Map<string, () => string>>();
let language: Language = 'ru';

/** The strings of the language chosen. */
export function t(): Strings {
  return STRINGS[language];
}

export function currentLanguage(): Language {
  return language;
}

/** Sets an element's text (or an attribute), now and whenever the language changes. */
export function say<E extends Element>(element: E, text: () => string, attribute = ''): E {
  const entries = said.get(element) ?? new Map<string, () => string>();
  entries.set(attribute, text);
  said.set(element, entries);
  element.setAttribute('data-said', '');
  apply(element, attribute, text);
  return element;
}

/** Russian first; the choice is remembered. Fills every `data-t` and `data-t-label` of the page. */
export function startLanguage(buttons: Iterable<HTMLButtonElement>): void {
  for (const [data, attribute] of [
    ['t', ''],
    ['tLabel', 'aria-label'],
  ] as const) {
    const selector = `[data-${data.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}]`;
    for (const element of document.querySelectorAll<HTMLElement>(selector)) {
      const key = element.dataset[data] as keyof Strings;
      say(element, () => String(t()[key]), attribute);
    }
  }
  const all = [...buttons];
  for (const button of all) {
    button.addEventListener('click', () => choose(button.dataset['language'] as Language, all));
  }
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(STORE_KEY);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
  if (stored === 'en') choose('en', all);
}

function choose(chosen: Language, buttons: readonly HTMLButtonElement[]): void {
  language = chosen;
  document.documentElement.lang = chosen;
  for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset['language'] === chosen));
  for (const element of document.querySelectorAll('[data-said]')) {
    for (const [attribute, text] of said.get(element) ?? []) apply(element, attribute, text);
  }
  try {
    localStorage.setItem(STORE_KEY, chosen);
  } catch {
    // As above.
  }
}

function apply(element: Element, attribute: string, text: () => string): void {
  if (attribute === '') element.textContent = text();
  else element.setAttribute(attribute, text());
}

const UNITS = { ru: ['КБ', 'МБ', 'ГБ'], en: ['KB', 'MB', 'GB'] } as const;

/** "12,4 МБ": decimal units, one digit where it says something. */
export function bytesText(bytes: number): string {
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < 2) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${numberText(value, digits)}\u00a0${UNITS[language][unit]!}`;
}

/** "25 нояб., 03:10": the year where it is another one. */
export function dateText(milliseconds: number): string {
  const date = new Date(milliseconds);
  const year = date.getFullYear() === new Date().getFullYear() ? {} : ({ year: 'numeric' } as const);
  return new Intl.DateTimeFormat(language, {
    ...year,
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  }).format(date);
}

/** A number with as few digits as it needs. */
export function shortNumber(value: number): string {
  return new Intl.NumberFormat(language).format(value);
}

/** A number with the decimal sign of the language. */
export function numberText(value: number, digits: number): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(
    value,
  );
}
