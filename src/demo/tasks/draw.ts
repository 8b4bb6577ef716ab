import { createComposer } from '../composer';
import type { Page } from '../page';
import { createNote, fillPanel } from '../panel';

/** Pictures from a text. */
export function startDraw(page: Page): { readonly suggest: (prompt: string) => void } {
  const composer = createComposer(
    page,
    'draw',
    { label: (strings) => strings.promptLabel, button: (strings) => strings.draw },
    (prompt, options) => (rudolph, signal) => rudolph.textToImage(prompt, { ...options, signal }),
  );
  const note = createNote(page, () => ({ untrained: 'draw', tokens: ['LT_T2I', 'LT_GEN'], early: true }));
  fillPanel(
    page.tabs.panel('draw'),
    (strings) => strings.drawTitle,
    { form: [composer.form], results: [composer.runs] },
    note.root,
  );
  return {
    suggest: (prompt) => {
      page.tabs.open('draw');
      composer.suggest(prompt);
    },
  };
}
