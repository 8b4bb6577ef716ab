import type { Rudolph, RgbaImage, SamplingOptions } from '../index';
import { Card } from './card';
import { announce, element, icon } from './dom';
import { errorBlock, isAbort, noticeText } from './explain';
import { numberText, say, t } from './language';
import type { Strings } from './strings';

/** Shares of the way from prompt to pictures, for one bar over all stages. */
const PROMPT_SHARE = 0.04;
const TOKENS_SHARE = 0.76;

export interface RunActions {
  readonly describe: (image: RgbaImage) => void;
  /** Puts prompt and seed back into the form. */
  readonly reuse: (prompt: string, seed: number) => void;
}

/** One press of Draw: its pictures and what it was asked. */
export class Run {
  readonly root: HTMLElement;
  readonly #cards: Card[];
  readonly #prompt: string;
  readonly #sampling: SamplingOptions & { readonly seed: number };
  readonly #facts = element('p', { className: 'run-facts' });
  readonly #notes = element('div', { className: 'run-notes' });
  readonly #actions: RunActions;
  readonly #started = performance.now();

  constructor(prompt: string, count: number, sampling: SamplingOptions, actions: RunActions) {
    this.#prompt = prompt;
    // Drawn here, so that it is known even of pictures whose siblings were stopped.
    this.#sampling = { ...sampling, count, seed: sampling.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]! };
    this.#actions = actions;
    this.#cards = Array.from({ length: count }, (_, k) => new Card(k + 1, prompt, actions));
    this.#facts.append(this.#seedButton());
    const gallery = element('ul', { className: 'gallery' }, ...this.#cards.map((card) => card.root));
    gallery.dataset['count'] = String(count);
    const remove = element('button', { type: 'button', className: 'icon run-remove' }, icon('close'));
    say(remove, () => t().removeRun, 'aria-label');
    say(remove, () => t().removeRun, 'title');
    remove.addEventListener('click', () => this.root.remove());
    const title = element('h3', { lang: 'ru', textContent: prompt });
    this.root = element(
      'article',
      { className: 'run' },
      element('header', { className: 'run-head' }, title, this.#facts, remove),
      this.#notes,
      gallery,
    );
    this.root.dataset['state'] = 'running';
  }

  /** Draws; ends when the pictures are there, the signal stops it or an error is on the screen. @returns the error, if any. */
  async draw(ready: Promise<Rudolph>, signal: AbortSignal): Promise<unknown> {
    announce(t().announceStart(this.#cards.length));
    let loaded = false;
    try {
      this.#progress((strings) => strings.waitingForModel, null);
      const rudolph = await ready;
      loaded = true;
      this.#progress((strings) => strings.waitingForTurn, null);
      const task = rudolph.textToImage(this.#prompt, { ...this.#sampling, signal });
      for await (const event of task) {
        if (event.type === 'notice') this.#notice(event.message);
        else if (event.type === 'preview') event.images.forEach((image, k) => this.#cards[k]?.preview(image));
        else if (event.type === 'picture') this.#cards[event.candidate]?.finish(event.image, this.#sampling.seed);
        else if (event.stage === 'prompt')
          this.#progress((strings) => strings.readingPrompt, PROMPT_SHARE * (event.done / event.total));
        else if (event.stage === 'tokens')
          this.#progress((strings) => strings.drawing, PROMPT_SHARE + TOKENS_SHARE * (event.done / event.total));
        else this.#develop(event.done);
      }
      const { images } = await task;
      images.forEach((image, k) => this.#cards[k]?.finish(image, this.#sampling.seed));
      this.#succeed();
      return null;
    } catch (error) {
      const stopped = isAbort(error);
      for (const card of this.#cards) card.end(stopped ? 'stopped' : 'failed');
      this.root.dataset['state'] = stopped ? 'stopped' : 'failed';
      if (stopped) announce(t().stopped);
      else if (loaded) this.#notes.append(errorBlock(error));
      else this.root.remove(); // empty frames would say nothing; the load's error is at the top of the page
      return error;
    }
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

  #notice(message: string): void {
    this.#notes.append(say(element('p', { className: 'notice', role: 'status' }), () => noticeText(message)));
  }

  #succeed(): void {
    this.root.dataset['state'] = 'done';
    const seconds = (performance.now() - this.#started) / 1000;
    this.#facts.append(
      say(element('span', { className: 'took' }), () => t().took(numberText(seconds, seconds < 10 ? 1 : 0))),
    );
    announce(t().announceDrawn(this.#cards.length));
  }

  #seedButton(): HTMLElement {
    const { seed } = this.#sampling;
    const label = say(element('span'), () => t().seedUsed(seed));
    const reuse = element('button', { type: 'button', className: 'seed-used' }, icon('seed'), label);
    say(reuse, () => `${t().seedUsed(seed)}. ${t().useSeed}`, 'aria-label');
    say(reuse, () => t().useSeed, 'title');
    reuse.addEventListener('click', () => this.#actions.reuse(this.#prompt, seed));
    return reuse;
  }
}
