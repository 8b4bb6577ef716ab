import { confirmButton, iconButton } from './controls';
import { announce, byId, element } from './dom';
import { errorBlock } from './explain';
import { type HistoryEntry, revive } from './history';
import { icon } from './icons';
import { dateText, say, t } from './language';
import type { Page } from './page';
import { copyOf } from './pictures';
import { taskLabel } from './tabs';

/** Shown at once, and more with every press of a button. */
const PAGE = 24;

/** What was done before, below the tasks: hidden until there is something, folded until somebody looks. */
export function startHistory(page: Page): void {
  const { history } = page;
  const section = byId('history');
  const list = element('ul', { className: 'history-list' });
  const tiles = new Map<HistoryEntry, HTMLElement>();
  let most = PAGE;
  const problem = element('div', { className: 'output' });
  const more = say(element('button', { type: 'button', className: 'chip' }), () => t().historyMore);
  more.addEventListener('click', () => {
    const first = list.children.length;
    most += PAGE;
    show();
    list.children[first]?.querySelector('button')?.focus({ preventScroll: true });
  });
  const clear = confirmButton(
    'remove',
    () => t().historyClear,
    () => {
      void history.clear();
      announce(t().historyCleared);
      byId('tabs').querySelector<HTMLElement>('[aria-selected=true]')!.focus({ preventScroll: true });
    },
  );
  const count = element('span', { className: 'history-count' });
  const details = element(
    'details',
    {},
    element(
      'summary',
      {},
      say(element('h2', { id: 'history-title' }), () => t().historyTitle),
      count,
    ),
    element(
      'div',
      { className: 'history-head' },
      say(element('p', { className: 'hint' }), () => t().historyHint),
      clear,
    ),
    problem,
    list,
    more,
  );
  section.append(details);

  const open = async (entry: HistoryEntry): Promise<void> => {
    problem.replaceChildren();
    try {
      await history.open(entry);
    } catch (error) {
      problem.replaceChildren(errorBlock(error));
    }
  };
  const remove = (entry: HistoryEntry): void => {
    const at = history.entries.indexOf(entry);
    void history.remove(entry);
    (list.children[Math.min(at, list.children.length - 1)] ?? details)
      .querySelector('button')
      ?.focus({ preventScroll: true });
  };
  const show = (): void => {
    const { entries } = history;
    section.hidden = entries.length === 0;
    count.textContent = String(entries.length);
    more.hidden = entries.length <= most;
    for (const old of tiles.keys()) if (!entries.includes(old)) tiles.delete(old);
    if (!details.open) return;
    const items = entries.slice(0, most).map((entry) => {
      const tile =
        tiles.get(entry) ??
        tileOf(
          entry,
          () => void open(entry),
          () => remove(entry),
        );
      tiles.set(entry, tile);
      return tile;
    });
    if (items.length !== list.children.length || items.some((item, k) => list.children[k] !== item))
      list.replaceChildren(...items);
  };
  details.addEventListener('toggle', show);
  history.watch(show);
}

function tileOf(entry: HistoryEntry, open: () => void, remove: () => void): HTMLElement {
  const { title, task, at, pictures } = entry;
  const thumb = element('span', { className: 'history-thumb' }, icon(task));
  const [first] = pictures;
  if (first) {
    revive(first).then(
      (picture) => thumb.replaceChildren(copyOf(picture), ...(pictures.length > 1 ? [several(pictures.length)] : [])),
      () => undefined, // the icon stays
    );
  }
  const button = element(
    'button',
    { type: 'button', className: 'history-open' },
    thumb,
    element('span', { className: 'history-name', lang: 'ru', textContent: title }),
    say(element('span', { className: 'history-facts' }), () => taskLabel(task)),
    say(element('span', { className: 'history-facts' }), () => dateText(at)),
  );
  button.addEventListener('click', open);
  const away = iconButton('close', () => t().historyRemove(title), remove);
  away.classList.add('tile-remove');
  return element('li', { className: 'history-item' }, button, away);
}

function several(count: number): HTMLElement {
  return element('span', { className: 'history-several', textContent: `×${count}` });
}
