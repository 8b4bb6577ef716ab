import { iconButton } from './controls';
import { element } from './dom';
import { say, t } from './language';

/** A list of short texts that can be added and taken away. */
export interface Chips {
  readonly root: HTMLElement;
  /** What is in the list, and what was typed but not added yet. */
  values(): string[];
  set(values: readonly string[]): void;
}

/** @param id of the field that adds; Enter, commas and semicolons separate, and new lines in what is pasted. */
export function createChips(id: string, initial: readonly string[]): Chips {
  const list = element('ul', { className: 'chip-list' });
  const input = element('input', { type: 'text', id, className: 'chip-input', lang: 'ru', autocomplete: 'off' });
  input.enterKeyHint = 'enter';
  say(input, () => t().addClass, 'placeholder');
  say(input, () => t().addClass, 'aria-label');
  input.setAttribute('aria-describedby', `${id}-hint`);
  say(list, () => t().classes, 'aria-label');
  const field = element('li', { className: 'chip-add' }, input);
  list.append(field);
  const chips = new Map<string, HTMLElement>();

  const add = (text: string): void => {
    for (const part of text.split(/[,;\n]/)) {
      const name = part.replace(/\s+/g, ' ').trim();
      if (name === '' || chips.has(name)) continue;
      const remove = iconButton(
        'close',
        () => t().removeClass(name),
        () => {
          const next = chips.get(name)?.nextElementSibling;
          takeAway(name);
          // Not always the field: on phones it would bring up the keyboard.
          (next?.querySelector('button') ?? input).focus();
        },
      );
      const chip = element(
        'li',
        { className: 'chip-item' },
        element('span', { lang: 'ru', textContent: name }),
        remove,
      );
      chips.set(name, chip);
      field.before(chip);
    }
  };
  const takeAway = (name: string): void => {
    chips.get(name)?.remove();
    chips.delete(name);
  };
  const addTyped = (): void => {
    add(input.value);
    input.value = '';
  };

  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      addTyped();
    } else if (event.key === 'Backspace' && input.value === '' && !event.repeat) {
      const last = [...chips.keys()].at(-1);
      if (last !== undefined) takeAway(last);
    }
  });
  input.addEventListener('input', () => {
    if (/[,;]/.test(input.value)) addTyped();
  });
  input.addEventListener('paste', (event) => {
    // A field of one line would join them.
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (!/\n/.test(text.trim())) return;
    event.preventDefault();
    addTyped();
    add(text);
  });
  list.addEventListener('click', (event) => {
    if (event.target === list) input.focus();
  });
  for (const text of initial) add(text);
  const hint = say(element('p', { className: 'hint', id: `${id}-hint` }), () => t().addClassHint);
  return {
    root: element('div', { className: 'chip-field' }, list, hint),
    values: () => {
      addTyped();
      return [...chips.keys()];
    },
    set: (values) => {
      for (const name of chips.keys()) takeAway(name);
      for (const name of values) add(name);
    },
  };
}
