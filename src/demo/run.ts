import type { Ranking, RgbaImage, Rudolph, Task, TextToImageEvent, TextToImageResult } from '../index';
import { Card } from './card';
import { iconButton, linkButton } from './controls';
import { announce, element } from './dom';
import { errorBlock, isAbort, addNotice } from './explain';
import { icon } from './icons';
import { numberText, say, t } from './language';
import type { Page } from './page';
import type { DrawnTokens } from './pictures';
import { rankingDetails } from './results';
import type { Strings } from './strings';

/** Shares of the way from prompt to pictures, for one bar over all stages. */
const PROMPT_SHARE = 0.04;
const TOKENS_SHARE = 0.76;
/** Older runs go: each keeps its pictures in memory. */
const MOST_RUNS = 20;

/** What a run draws. */
export interface RunRequest {
  readonly prompt: string;
  /** Candidates. */
  readonly count: number;
  /** Only the best of them are kept. */
  readonly keep: number | null;
  readonly seed: number;
  /** The address that fills the form in as it was. */
  readonly link: string;
  /** Whether it begins with a picture, which no address holds. */
  readonly fromPicture: boolean;
  /** Puts prompt and seed back into the form. */
  readonly reuse: () => void;
}

/** Begins to draw. */
export type StartDrawing = (rudolph: Rudolph, signal: AbortSignal) => Task<TextToImageEvent, TextToImageResult>;

/** What came of a run. */
export interface Drawn {
  readonly images: readonly RgbaImage[];
  /** Of every picture; null where they are not known. */
  readonly tokens: readonly (DrawnTokens | null)[];
  readonly ranking?: Ranking;
}

/** Shows a run before the others. */
export function addRun(runs: HTMLElement, run: Run): void {
  runs.prepend(run.root);
  while (runs.children.length > MOST_RUNS) runs.lastElementChild!.remove();
}

/** One press of a button that draws: its pictures and what it was asked. */
export class Run {
  readonly root: HTMLElement;
  readonly #page: Page;
  readonly #request: RunRequest;
  #cards: readonly Card[];
  readonly #gallery = element('ul', { className: 'gallery' });
  readonly #facts = element('p', { className: 'run-facts' });
  readonly #notes = element('div', { className: 'run-notes' });
  readonly #speed = say(element('span', { className: 'speed' }), () => '');
  readonly #started = performance.now();
  /** Tokens that there were when the first count came, and when that was. */
  #counted: { readonly tokens: number; readonly at: number } | null = null;
  /** Whether the best candidates are chosen. */
  #chosen = false;

  constructor(request: RunRequest, page: Page) {
    const { prompt, count } = request;
    this.#request = request;
    this.#page = page;
    this.#cards = Array.from({ length: count }, (_, k) => new Card(k + 1, prompt, page));
    this.#facts.append(this.#speed, this.#seedButton());
    this.#showCards();
    const remove = iconButton(
      'close',
      () => t().removeRun,
      () => this.root.remove(),
    );
    remove.classList.add('run-remove');
    const title = element('h3', { lang: 'ru', textContent: prompt });
    this.root = element(
      'article',
      { className: 'run' },
      element('header', { className: 'run-head' }, title, this.#facts, remove),
      this.#notes,
      this.#gallery,
    );
    this.root.dataset['state'] = 'running';
  }

  /** Shows what was drawn before. */
  restore(drawn: Drawn): void {
    this.#complete(drawn);
    this.#succeed();
    this.#page.pictures.add(this.#cards.flatMap(({ picture }) => picture ?? []));
  }

  /**
   * Draws; ends when the pictures are there, the signal stops it or an error is on the screen. @returns what was drawn, or the
   * error.
   */
  async draw(
    ready: Promise<Rudolph>,
    start: StartDrawing,
    signal: AbortSignal,
  ): Promise<{ readonly drawn: Drawn } | { readonly error: unknown }> {
    announce(t().announceStart(this.#cards.length));
    let loaded = false;
    try {
      this.#progress((strings) => strings.waitingForModel, null);
      const rudolph = await ready;
      loaded = true;
      this.#progress((strings) => strings.waitingForTurn, null);
      const task = start(rudolph, signal);
      for await (const event of task) this.#tell(event);
      const { images, codebooks, ranking } = await task;
      const model = this.#page.model.id;
      const drawn = {
        images,
        tokens: codebooks.map((codes) => ({ model, codes })),
        ...(ranking ? { ranking } : {}),
      };
      this.#keepBest();
      this.#complete(drawn);
      this.#succeed();
      const seconds = (performance.now() - this.#started) / 1000;
      this.#facts.append(
        say(element('span', { className: 'took' }), () => t().took(numberText(seconds, seconds < 10 ? 1 : 0))),
      );
      announce(t().announceDrawn(this.#cards.length));
      return { drawn };
    } catch (error) {
      const stopped = isAbort(error);
      for (const card of this.#cards) card.end(stopped ? 'stopped' : 'failed');
      this.root.dataset['state'] = stopped ? 'stopped' : 'failed';
      if (stopped) announce(t().stopped);
      else if (loaded) this.#notes.append(errorBlock(error));
      else this.root.remove(); // empty frames would say nothing; the load's error is at the top of the page
      return { error };
    } finally {
      this.#page.pictures.add(this.#cards.flatMap(({ picture }) => picture ?? []));
    }
  }

  #tell(event: TextToImageEvent): void {
    if (event.type === 'notice') addNotice(this.#notes, event);
    else if (event.type === 'preview') event.images.forEach((image, k) => this.#cards[k]?.preview(image));
    else if (event.type === 'picture') {
      this.#keepBest();
      this.#finish(event.candidate, event.image);
    } else this.#advance(event.stage, event.done, event.total);
  }

  #advance(stage: 'image' | 'prompt' | 'tokens' | 'scores' | 'pictures', done: number, total: number): void {
    const part = total > 0 ? done / total : 0;
    if (stage === 'image') this.#progress((strings) => strings.lookingAtPicture, 0);
    else if (stage === 'prompt') this.#progress((strings) => strings.readingPrompt, PROMPT_SHARE * part);
    else if (stage === 'tokens') {
      this.#progress((strings) => strings.drawing, PROMPT_SHARE + TOKENS_SHARE * part);
      this.#showSpeed(done);
    } else if (stage === 'scores') this.#progress((strings) => strings.choosing, PROMPT_SHARE + TOKENS_SHARE);
    else {
      this.#keepBest();
      this.#develop(done);
    }
  }

  /** @param tokens of all pictures, given ones included. */
  #showSpeed(tokens: number): void {
    const now = performance.now();
    this.#counted ??= { tokens, at: now };
    const seconds = (now - this.#counted.at) / 1000;
    // Sooner it would jump.
    if (seconds < 0.25 || tokens <= this.#counted.tokens) return;
    const speed = (tokens - this.#counted.tokens) / seconds;
    say(this.#speed, () => t().tokensPerSecond(numberText(speed, speed < 10 ? 1 : 0)));
  }

  #progress(stage: (strings: Strings) => string, part: number | null): void {
    for (const card of this.#cards) card.progress(stage, part);
  }

  /** @param done pictures decoded, with a fraction for the one being decoded. */
  #develop(done: number): void {
    const start = PROMPT_SHARE + TOKENS_SHARE;
    this.#cards.forEach((card, k) => {
      const part = Math.min(1, Math.max(0, done - k));
      card.progress(
        (strings) => (part > 0 || k === Math.floor(done) ? strings.developing : strings.queued),
        start + (1 - start) * part,
      );
    });
  }

  /** From here on the best candidates are there, in their order: the places of all others go. */
  #keepBest(): void {
    const { count, keep } = this.#request;
    if (keep === null || count === 1 || this.#chosen) return;
    this.#chosen = true;
    this.#cards = this.#cards.slice(0, keep);
    for (const card of this.#cards) card.empty();
    this.#showCards();
  }

  #showCards(): void {
    this.#gallery.dataset['count'] = String(this.#cards.length);
    this.#gallery.replaceChildren(...this.#cards.map((card) => card.root));
  }

  #finish(candidate: number, image: RgbaImage): void {
    this.#cards[candidate]?.finish(image, this.#request.seed);
  }

  #complete({ images, tokens, ranking }: Drawn): void {
    images.forEach((image, k) => this.#finish(k, image));
    tokens.forEach((own, k) => this.#cards[k]?.complete(own, ranking ? () => rankingDetails(ranking, k) : null));
  }

  #succeed(): void {
    this.root.dataset['state'] = 'done';
    const { link, fromPicture } = this.#request;
    this.#gallery.after(element('div', { className: 'run-foot' }, linkButton(link, fromPicture)));
  }

  #seedButton(): HTMLElement {
    const { seed, reuse } = this.#request;
    const label = say(element('span'), () => t().seedUsed(seed));
    const button = element('button', { type: 'button', className: 'seed-used' }, icon('seed'), label);
    say(button, () => `${t().seedUsed(seed)}. ${t().useSeed}`, 'aria-label');
    say(button, () => t().useSeed, 'title');
    button.addEventListener('click', reuse);
    return button;
  }
}
