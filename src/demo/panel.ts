import type { RudolphInfo } from '../index';
import { element } from './dom';
import { say, t } from './language';
import type { Page } from './page';
import type { Strings } from './strings';

export type Untrained = keyof Strings['untrained'];

/** Heading, form and results of a task, with the picture that it looks at beside them. */
export function fillPanel(
  panel: HTMLElement,
  title: (strings: Strings) => string,
  parts: { readonly picture?: HTMLElement; readonly form: readonly Node[]; readonly results: readonly Node[] },
  note?: HTMLElement,
): void {
  const form = element('div', { className: 'bench-form' }, ...parts.form);
  const results = element('div', { className: 'bench-results' }, ...parts.results);
  const bench = element('div', { className: parts.picture ? 'bench bench-wide' : 'bench' });
  if (parts.picture) bench.append(parts.picture);
  bench.append(form, results);
  panel.append(
    say(element('h2'), () => title(t())),
    ...(note ? [note] : []),
    bench,
  );
}

/** Chips that fill in an example. */
export function createExamples(take: (example: string) => void): {
  readonly root: HTMLElement;
  readonly show: (examples: readonly string[]) => void;
} {
  const root = element('div', { className: 'examples', role: 'group' });
  say(root, () => t().examplesLabel, 'aria-label');
  return {
    root,
    show: (examples) => {
      const chips = examples.map((example) => {
        const chip = element('button', { type: 'button', className: 'chip', lang: 'ru', textContent: example });
        chip.addEventListener('click', () => take(example));
        return chip;
      });
      root.replaceChildren(...chips);
    },
  };
}

/**
 * One line where the open model does not know the task; empty while nobody can tell.
 * @param tokens one of these left special tokens is what it was trained with. Models without any (350M_v1) know `early` tasks.
 */
export function createNote(
  { model }: Page,
  task: () => {
    readonly untrained: Untrained;
    readonly tokens: readonly string[];
    readonly early?: boolean;
    readonly picture?: boolean;
  },
): { readonly root: HTMLElement; readonly show: () => void } {
  const root = element('p', { className: 'untrained', hidden: true });
  const show = (): void => {
    const { state } = model;
    const which = state.type === 'ready' ? reason(state.rudolph.info, task()) : null;
    root.hidden = which === null;
    if (which) say(root, () => t().untrained[which]);
  };
  model.watch(show);
  return { root, show };
}

function reason(
  { model }: RudolphInfo,
  { untrained, tokens, early = false, picture = false }: ReturnType<Parameters<typeof createNote>[1]>,
): Untrained | null {
  const known = model.specialTokens ? tokens.some((name) => name in model.specialTokens!) : early;
  if (!known) return untrained;
  return picture && !model.components.imageEncoder ? 'pictures' : null;
}
