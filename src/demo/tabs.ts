import { byId, element } from './dom';
import { icon } from './icons';
import { say, t } from './language';
import type { Strings } from './strings';

/** In the order of the row; each is also an icon and the address's hash. */
export const TASKS = [
  'draw',
  'inpaint',
  'caption',
  'answer',
  'read',
  'classify',
  'rank',
  'continue',
  'perplexity',
] as const;
export type TaskId = (typeof TASKS)[number];

const LABELS: Readonly<Record<TaskId, (strings: Strings) => string>> = {
  draw: (strings) => strings.tabDraw,
  inpaint: (strings) => strings.tabInpaint,
  caption: (strings) => strings.tabCaption,
  answer: (strings) => strings.tabAnswer,
  read: (strings) => strings.tabRead,
  classify: (strings) => strings.tabClassify,
  rank: (strings) => strings.tabRank,
  continue: (strings) => strings.tabContinue,
  perplexity: (strings) => strings.tabPerplexity,
};

/** A row of tabs, one a task, with a panel each. The address's hash names the open one, so that back and forward work. */
export class Tabs {
  readonly #tabs = new Map<TaskId, { readonly tab: HTMLButtonElement; readonly panel: HTMLElement }>();
  readonly #opened = new Map<TaskId, () => void>();
  /** Who works behind each tab: a panel may hold several. */
  readonly #workers = new Map<TaskId, Set<object>>();
  /** Who waits for all work to end. */
  readonly #waiting: (() => void)[] = [];
  #current: TaskId = 'draw';
  /** Whether arrow keys made the newest entry of the history: the next arrow replaces it. */
  #byArrow = false;

  constructor() {
    const row = byId('tabs');
    const panels = byId('panels');
    for (const id of TASKS) {
      const tab = element(
        'button',
        { type: 'button', id: `tab-${id}`, className: 'tab', role: 'tab', 'aria-controls': `panel-${id}` },
        icon(id),
        say(element('span'), () => LABELS[id](t())),
      );
      const panel = element('section', {
        id: `panel-${id}`,
        className: `panel panel-${id}`,
        role: 'tabpanel',
        'aria-labelledby': tab.id,
      });
      tab.addEventListener('click', () => {
        this.#byArrow = false;
        this.open(id);
      });
      this.#tabs.set(id, { tab, panel });
      row.append(tab);
      panels.append(panel);
    }
    row.addEventListener('keydown', (event) => this.#move(event));
    row.addEventListener('focusout', () => {
      this.#byArrow = false;
    });
    addEventListener('popstate', () => this.#show(fromAddress() ?? (location.hash === '' ? 'draw' : this.#current)));
    this.#show(fromAddress() ?? 'draw');
  }

  get current(): TaskId {
    return this.#current;
  }

  panel(id: TaskId): HTMLElement {
    return this.#tabs.get(id)!.panel;
  }

  /** Calls back whenever the task's panel has come into sight, also now. */
  onOpen(id: TaskId, opened: () => void): void {
    this.#opened.set(id, opened);
    if (this.#current === id) opened();
  }

  /** Shows a task's panel; the browser's Back returns to the one before. */
  open(id: TaskId): void {
    if (id === this.#current) return;
    history.pushState(null, '', `#${id}`);
    this.#show(id);
    // From far below, the new panel would begin out of sight.
    const row = byId('tabs');
    if (row.getBoundingClientRect().top < 0) row.scrollIntoView();
  }

  /** Whether any task works. */
  get busy(): boolean {
    return [...this.#workers.values()].some((workers) => workers.size > 0);
  }

  /** Ends when no task works. */
  async idle(): Promise<void> {
    if (this.busy) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Marks a task that works, also while another panel is open. */
  setBusy(id: TaskId, worker: object, busy: boolean): void {
    const workers = this.#workers.get(id) ?? new Set();
    this.#workers.set(id, workers);
    if (busy) workers.add(worker);
    else workers.delete(worker);
    this.#tabs.get(id)!.tab.toggleAttribute('data-busy', workers.size > 0);
    if (!this.busy) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #show(id: TaskId): void {
    this.#current = id;
    for (const [other, { tab, panel }] of this.#tabs) {
      const chosen = other === id;
      tab.setAttribute('aria-selected', String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      panel.hidden = !chosen;
    }
    this.#opened.get(id)?.();
  }

  /** Arrows, Home and End, as in every row of tabs. */
  #move(event: KeyboardEvent): void {
    const at = TASKS.indexOf(this.#current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TASKS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const id = TASKS[(to + TASKS.length) % TASKS.length]!;
    if (id === this.#current) return;
    if (this.#byArrow) history.replaceState(null, '', `#${id}`);
    else history.pushState(null, '', `#${id}`);
    this.#show(id);
    this.#tabs.get(id)!.tab.focus();
    this.#byArrow = true;
  }
}

/** What a task is called, in the page's language. */
export function taskLabel(task: TaskId): string {
  return LABELS[task](t());
}

function fromAddress(): TaskId | undefined {
  // A link may go on with what to fill in: see link.ts.
  return TASKS.find((id) => id === location.hash.slice(1).split('?')[0]);
}
