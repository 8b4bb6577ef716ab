import { type TaskId, TASKS, type Tabs } from './tabs';

/** What was filled into a task's form, by name: whatever differs from an untouched form. */
export type Fields = Readonly<Record<string, string>>;

/** Part of a form that is no plain field. */
interface OwnField {
  readonly read: () => string;
  readonly write: (text: string) => void;
}

/** Longer than any text that a model reads; an address is written by whoever likes. */
const MOST_CHARACTERS = 4000;

/**
 * Forms as addresses: `#draw?prompt=кот&seed=7`. What follows the # never leaves the browser, so a link works on any host, but is no
 * secret to whoever gets it. A field is named after its id: `draw-seed` is `seed` of `draw`.
 */
export class Links {
  readonly #tabs: Tabs;
  readonly #own = new Map<TaskId, Map<string, OwnField>>();
  /** Every task's form as it was before anybody touched it. */
  readonly #untouched = new Map<TaskId, Fields>();
  /** The address that was filled in last: going back to it must not undo what was written since. */
  #filled = '';

  constructor(tabs: Tabs) {
    this.#tabs = tabs;
  }

  /** Adds a part of a form that is no plain field. */
  add(task: TaskId, name: string, field: OwnField): void {
    const fields = this.#own.get(task) ?? new Map<string, OwnField>();
    this.#own.set(task, fields.set(name, field));
  }

  /** Call it when all forms are there: fills in what the address says. Nothing starts by itself. */
  start(): void {
    for (const task of TASKS) this.#untouched.set(task, this.#all(task));
    const open = (): void => {
      if (location.hash === this.#filled) return;
      const [name, fields] = parse(location.hash);
      const task = TASKS.find((id) => id === name);
      if (!task || !fields) return;
      this.#filled = location.hash;
      this.fill(task, fields);
    };
    addEventListener('hashchange', open);
    open();
  }

  /** A task's form as it is now. */
  of(task: TaskId): Fields {
    const untouched = this.#untouched.get(task) ?? {};
    const main = this.#texts(task);
    return Object.fromEntries(
      Object.entries(this.#all(task)).filter(
        // What a text begins with may change with the model or the page: it is always named, also where it is empty.
        ([name, text]) => text !== untouched[name] || main.includes(name),
      ),
    );
  }

  /** Fills a task's form in; what `fields` does not name becomes as it was at first. */
  fill(task: TaskId, fields: Fields): void {
    const texts = this.#texts(task);
    const wanted = new Map(Object.entries(this.#untouched.get(task) ?? {}).filter(([name]) => !texts.includes(name)));
    for (const [name, text] of Object.entries(fields)) wanted.set(name, text.slice(0, MOST_CHARACTERS));
    const own = this.#own.get(task);
    // Choices first: some of them put a text into a field.
    for (const [name, text] of wanted) {
      const choices = this.#panel(task).querySelectorAll<HTMLInputElement>(
        `input[name="${CSS.escape(`${task}-${name}`)}"]`,
      );
      const choice = [...choices].find(({ value }) => value === text);
      if (!choice || choice.checked) continue;
      choice.checked = true;
      choice.dispatchEvent(new Event('change', { bubbles: true }));
    }
    for (const [name, text] of wanted) {
      own?.get(name)?.write(text);
      const field = document.getElementById(`${task}-${name}`);
      if (!this.#panel(task).contains(field) || !isText(field) || field.value === text) continue;
      field.value = text;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      const folded = field.closest('details');
      if (folded && text !== '') folded.open = true;
    }
  }

  /** The address that fills a form in so. The model stays the one that is open. */
  address(task: TaskId, fields: Fields): string {
    const address = new URL(location.href);
    address.hash = `${task}?${new URLSearchParams(fields).toString()}`;
    return address.href;
  }

  /** Puts the open form into the address: it comes back when the page is loaded anew. */
  keep(): void {
    const { current } = this.#tabs;
    history.replaceState(null, '', this.address(current, this.of(current)));
  }

  #panel(task: TaskId): HTMLElement {
    return this.#tabs.panel(task);
  }

  /** Names of the large fields. */
  #texts(task: TaskId): readonly string[] {
    return [...this.#panel(task).querySelectorAll('textarea')].map(({ id }) => id.slice(task.length + 1));
  }

  #all(task: TaskId): Fields {
    const fields: Record<string, string> = {};
    for (const field of this.#panel(task).querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('input, textarea')) {
      const radio = field.type === 'radio';
      const id = radio ? field.name : field.id;
      if (!id.startsWith(`${task}-`) || (radio && !(field as HTMLInputElement).checked)) continue;
      if (radio || isText(field)) fields[id.slice(task.length + 1)] = field.value.trim();
    }
    for (const [name, { read }] of this.#own.get(task) ?? []) fields[name] = read();
    return fields;
  }
}

/** Task and fields of an address; `null` where it names the task alone. */
export function parse(hash: string): readonly [task: string, fields: Fields | null] {
  const [, task = '', query] = /^#([a-z]*)(?:\?(.*))?$/s.exec(hash) ?? [];
  return [task, query === undefined ? null : Object.fromEntries(new URLSearchParams(query))];
}

function isText(field: Element | null): field is HTMLInputElement | HTMLTextAreaElement {
  return field instanceof HTMLTextAreaElement || (field instanceof HTMLInputElement && field.type === 'text');
}
