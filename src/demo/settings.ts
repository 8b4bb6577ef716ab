import type { SamplingOptions } from '../index';
import { byId, element } from './dom';
import { LocalError } from './explain';
import type { Strings } from './strings';

/** Fills a fieldset with a row of numbers to choose from; returns a function that reads the choice. */
export function createSegments(fieldset: HTMLElement, choices: readonly number[], chosen: number): () => number {
  const row = element('div', { className: 'segments-row' });
  for (const choice of choices) {
    const input = element('input', {
      type: 'radio',
      name: fieldset.id,
      value: String(choice),
      checked: choice === chosen,
      className: 'visually-hidden',
    });
    row.append(element('label', {}, input, element('span', { textContent: String(choice) })));
  }
  fieldset.append(row);
  return () => Number(row.querySelector<HTMLInputElement>('input:checked')!.value);
}

/**
 * Reads seed, top-k, top-p and temperature; empty fields are left out.
 * @throws LocalError for a value out of range, after putting the focus on its field.
 */
export function readSampling(): SamplingOptions {
  const seed = read(
    'seed',
    (value) => whole(value) && value <= 0xffffffff,
    (strings) => strings.badSeed,
  );
  const topK = read(
    'top-k',
    (value) => whole(value) && value <= 0xffffffff,
    (strings) => strings.badTopK,
  );
  const topP = read(
    'top-p',
    (value) => value > 0 && value <= 1,
    (strings) => strings.badTopP,
  );
  const temperature = read(
    'temperature',
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

function whole(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
}

function read(
  id: string,
  accepts: (value: number) => boolean,
  sentence: (strings: Strings) => string,
): number | undefined {
  const input = byId<HTMLInputElement>(id);
  const text = input.value.trim().replace(',', '.');
  input.removeAttribute('aria-invalid');
  if (text === '') return undefined;
  const value = Number(text);
  if (accepts(value)) return value;
  input.setAttribute('aria-invalid', 'true');
  const folded = input.closest('details');
  if (folded) folded.open = true;
  input.focus();
  throw new LocalError(sentence);
}
