import type { NoticeEvent, Rudolph } from '../index';
import { linkButton, showAgain } from './controls';
import { announce, createBar, element, setBar } from './dom';
import { errorBlock, isAbort, addNotice } from './explain';
import { revive, storedPicture } from './history';
import { say, t } from './language';
import type { Fields } from './link';
import type { Page } from './page';
import type { PagePicture } from './pictures';
import type { Strings } from './strings';
import type { TaskId } from './tabs';

/** What a task that ends in texts or scores tells meanwhile. */
export type JobEvent =
  | NoticeEvent
  | {
      readonly type: 'progress';
      readonly stage: 'image' | 'prompt' | 'tokens' | 'scores';
      readonly done: number;
      readonly total: number;
    }
  | { readonly type: 'drafts'; readonly texts: readonly string[] };

/** A call of the library and what becomes of its result. */
export interface Work<Result> {
  readonly start: (rudolph: Rudolph, signal: AbortSignal) => PromiseLike<Result> & AsyncIterable<JobEvent>;
  readonly show: (result: Result) => readonly Node[];
  /** For screen readers. */
  readonly tell: (result: Result) => string;
}

const STAGES: Readonly<Record<'image' | 'prompt' | 'tokens' | 'scores', (strings: Strings) => string>> = {
  image: (strings) => strings.lookingAtPicture,
  prompt: (strings) => strings.readingText,
  tokens: (strings) => strings.writing,
  scores: (strings) => strings.comparing,
};

/** Different drafts shown while they are written. */
const MOST_DRAFTS = 6;

/** What the button says; `again` where there are results and the same once more may end otherwise. */
interface Words {
  readonly start: (strings: Strings) => string;
  readonly again?: (strings: Strings) => string;
}

/** What is kept in the history of a job's results. */
interface Memory<Result> {
  /** What the job looks at, if anything. */
  readonly picture: () => PagePicture | null;
  readonly title: (result: Result, fields: Fields) => string;
}

/** A button that starts and stops one kind of work, and the place of its progress and results. */
export class Job<Result> {
  readonly button: HTMLButtonElement;
  readonly output: HTMLElement;
  readonly #page: Page;
  readonly #task: TaskId;
  readonly #prepare: () => Work<Result>;
  readonly #words: Words;
  #memory: Memory<Result> | null = null;
  #running: AbortController | null = null;

  /** @param prepare reads the form; may throw a LocalError. */
  constructor(page: Page, task: TaskId, words: Words, prepare: () => Work<Result>) {
    this.#page = page;
    this.#task = task;
    this.#words = words;
    this.#prepare = prepare;
    this.output = element('div', { className: 'output', id: `${task}-output` });
    this.button = element('button', { type: 'button', className: 'primary', id: `${task}-button` });
    this.button.addEventListener('click', () => {
      if (this.#running) this.#running.abort();
      else void this.run();
    });
    this.#showButton();
  }

  /** Keeps results in the history, with a link to each, and shows them again from there. */
  remember(memory: Memory<Result>): void {
    this.#memory = memory;
    const { history, links, pictures, tabs } = this.#page;
    history.onOpen(this.#task, async (entry) => {
      const [stored] = entry.pictures;
      const picture = stored ? await revive(stored) : null;
      if (picture) pictures.choose(picture);
      tabs.open(this.#task);
      links.fill(this.#task, entry.fields);
      this.clear();
      this.#show(new JobView(this.output), this.#prepare(), entry.result as Result, entry.fields);
      this.#showButton();
      showAgain(this.output);
    });
  }

  /** Enter in the field starts, but never stops; Shift+Enter makes a line, and while an input method composes Enter is its own. */
  startOnEnter(field: HTMLElement): void {
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!this.running) void this.run();
    });
  }

  get running(): boolean {
    return this.#running !== null;
  }

  /** Works, with the focus on the button: whoever asked from another panel comes to stand here. */
  runFromElsewhere(): void {
    void this.run();
    this.button.focus({ preventScroll: true });
  }

  /** Stops what runs, and forgets the results: what they were about has changed. */
  clear(): void {
    this.#running?.abort();
    this.#running = null;
    this.output.replaceChildren();
    this.#page.tabs.setBusy(this.#task, this, false);
    this.#showButton();
  }

  /** Works; ends when the results, or an error, are on the screen. What runs already gives way. */
  async run(): Promise<void> {
    this.#running?.abort();
    let work: Work<Result>;
    try {
      work = this.#prepare();
    } catch (error) {
      this.output.replaceChildren(errorBlock(error));
      return;
    }
    const controller = new AbortController();
    this.#running = controller;
    const { signal } = controller;
    const { model, tabs, links } = this.#page;
    const picture = this.#memory?.picture() ?? null;
    let fields = links.of(this.#task);
    const view = new JobView(this.output);
    this.#showButton();
    tabs.setBusy(this.#task, this, true);
    this.output.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
    try {
      view.progress((strings) => strings.waitingForModel, null);
      const rudolph = await model.ready(signal);
      view.progress((strings) => strings.waitingForTurn, null);
      const task = work.start(rudolph, signal);
      for await (const event of task) view.tell(event);
      const result = await task;
      // The one that was used where the form leaves it open.
      const { seed } = result as { seed?: number };
      if (seed !== undefined) fields = { ...fields, seed: String(seed) };
      this.#show(view, work, result, fields);
      void this.#keep(result, fields, picture).catch(() => undefined);
      announce(work.tell(result));
    } catch (error) {
      if (this.#running !== controller) return; // something else has taken the place
      view.end(error);
      if (isAbort(error)) announce(t().stopped);
      model.noteFailure(error);
    } finally {
      if (this.#running === controller) {
        this.#running = null;
        tabs.setBusy(this.#task, this, false);
        this.#showButton();
      }
    }
  }

  #show(view: JobView, work: Work<Result>, result: Result, fields: Fields): void {
    const results = work.show(result);
    if (!this.#memory) return view.finish(results);
    const link = linkButton(this.#page.links.address(this.#task, fields), this.#memory.picture() !== null);
    view.finish([...results, element('div', { className: 'output-foot' }, link)]);
  }

  async #keep(result: Result, fields: Fields, picture: PagePicture | null): Promise<void> {
    if (!this.#memory) return;
    const title = this.#memory.title(result, fields) || t().emptyText;
    const pictures = picture ? [await storedPicture(picture)] : [];
    this.#page.history.add({ task: this.#task, title, fields, pictures, result });
  }

  #showButton(): void {
    this.button.classList.toggle('stops', this.running);
    const { start, again = start } = this.#words;
    const label = this.output.childElementCount > 0 ? again : start;
    say(this.button, () => (this.running ? t().stop : label(t())));
  }
}

/** Progress, drafts and results of one run. */
class JobView {
  readonly #output: HTMLElement;
  readonly #bar = createBar();
  readonly #stage = element('p', { className: 'stage' });
  readonly #drafts = element('ul', { className: 'drafts', 'aria-hidden': 'true', lang: 'ru' });
  readonly #notes = element('div', { className: 'notes' });

  constructor(output: HTMLElement) {
    this.#output = output;
    say(this.#bar, () => t().jobProgress, 'aria-label');
    output.replaceChildren(this.#notes, this.#bar, this.#stage, this.#drafts);
  }

  progress(stage: (strings: Strings) => string, part: number | null): void {
    say(this.#stage, () => stage(t()));
    setBar(this.#bar, part);
  }

  tell(event: JobEvent): void {
    if (event.type === 'notice') addNotice(this.#notes, event);
    else if (event.type === 'drafts') this.#showDrafts(event.texts);
    else {
      // Pictures and prompts are too quick for a part to be worth showing.
      const counts = event.stage === 'tokens' || event.stage === 'scores';
      this.progress(STAGES[event.stage], counts && event.total > 0 ? event.done / event.total : null);
    }
  }

  finish(results: readonly Node[]): void {
    this.#output.replaceChildren(this.#notes, ...results);
  }

  end(error: unknown): void {
    if (!isAbort(error)) return this.#output.replaceChildren(this.#notes, errorBlock(error));
    this.#bar.remove();
    say(this.#stage, () => t().stopped);
  }

  #showDrafts(texts: readonly string[]): void {
    // Most drafts begin alike: each different one is shown once.
    const different = [...new Set(texts)].slice(0, MOST_DRAFTS);
    this.#drafts.replaceChildren(...different.map((text) => element('li', { textContent: `${text}…` })));
  }
}
