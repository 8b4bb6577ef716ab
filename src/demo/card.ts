import type { RgbaImage } from '../index';
import { quietButton, savePicture } from './controls';
import { createBar, element, paint, setBar } from './dom';
import { numberText, say, t } from './language';
import type { Page } from './page';
import { drawnPicture, type DrawnTokens, type PagePicture } from './pictures';
import type { Strings } from './strings';
import { taskLabel } from './tabs';

/** Whoever else looks at a picture: too many for a button each beside it. */
const OTHER_TASKS = ['answer', 'read', 'classify', 'rank', 'perplexity'] as const;

/** One picture: empty, then a growing mosaic, then finished. */
export class Card {
  readonly root: HTMLElement;
  readonly #mosaic = element('canvas', { className: 'mosaic', width: 1, height: 1 });
  readonly #frame = element('div', { className: 'frame' });
  readonly #stage = element('span', { className: 'card-stage' });
  readonly #percent = element('span', { className: 'card-percent' });
  readonly #bar = createBar();
  readonly #foot = element('div', { className: 'card-foot' });
  readonly #page: Page;
  readonly #number: number;
  readonly #prompt: string;
  #image: RgbaImage | null = null;
  #picture: PagePicture | null = null;

  constructor(number: number, prompt: string, page: Page) {
    this.#number = number;
    this.#prompt = prompt;
    this.#page = page;
    this.#frame.append(this.#mosaic);
    say(this.#bar, () => t().progressLabel(number), 'aria-label');
    this.#foot.append(this.#bar, element('p', { className: 'card-progress' }, this.#stage, this.#percent));
    this.root = element('li', { className: 'card' }, this.#frame, this.#foot);
    this.root.dataset['state'] = 'waiting';
    say(this.#frame, () => t().cardLabel(number, prompt), 'aria-label');
    this.#frame.setAttribute('role', 'img');
    setBar(this.#bar, null);
  }

  /** What other tasks get; null until it is finished. */
  get picture(): PagePicture | null {
    if (this.#image) this.#picture ??= drawnPicture(this.#image, this.#prompt, null);
    return this.#picture;
  }

  /** @param part 0…1 of the whole way, or null while nothing is known. */
  progress(stage: (strings: Strings) => string, part: number | null): void {
    if (this.#image) return;
    say(this.#stage, () => stage(t()));
    say(this.#percent, () => (part === null ? '' : `${numberText(part * 100, 0)}\u00a0%`));
    setBar(this.#bar, part);
    if (part !== null) this.root.dataset['state'] = 'working';
  }

  /** The unfinished picture, a pixel a token. */
  preview(image: RgbaImage): void {
    if (this.#image) return;
    this.#frame.style.setProperty('--side', String(image.width));
    paint(this.#mosaic, image);
  }

  /** Forgets the unfinished picture: another one comes to this place. */
  empty(): void {
    this.#mosaic.width = this.#mosaic.height = 1;
  }

  /** The finished picture takes the mosaic's place. */
  finish(image: RgbaImage, seed: number): void {
    if (this.#image) return;
    this.#image = image;
    const canvas = element('canvas', { className: 'picture' });
    paint(canvas, image);
    this.#frame.append(canvas);
    this.root.dataset['state'] = 'done';
    const number = this.#number;
    const { describe, redraw, passOn } = this.#page;
    const save = quietButton(
      'save',
      () => t().save,
      () => void savePicture(image, `${fileName(this.#prompt)}-${seed}-${number}`),
    );
    say(save, () => t().saveLabel(number), 'aria-label');
    const describeIt = quietButton(
      'caption',
      () => t().describe,
      () => describe(this.picture!),
    );
    say(describeIt, () => t().describeLabel(number), 'aria-label');
    const redrawIt = quietButton(
      'inpaint',
      () => t().redraw,
      () => redraw(this.picture!),
    );
    say(redrawIt, () => t().redrawLabel(number), 'aria-label');
    const others = OTHER_TASKS.map((task) => {
      const button = quietButton(
        task,
        () => taskLabel(task),
        () => passOn(this.picture!, task),
      );
      return say(button, () => t().passOnLabel(taskLabel(task), number), 'aria-label');
    });
    const more = say(element('summary', { className: 'quiet' }), () => t().moreTasks);
    say(more, () => t().moreTasksLabel(number), 'aria-label');
    const menu = element(
      'details',
      { className: 'card-more' },
      more,
      element('div', { className: 'card-actions' }, ...others),
    );
    this.#foot.replaceChildren(element('div', { className: 'card-actions' }, save, describeIt, redrawIt, menu));
  }

  /** What became known at the end. @param tokens what other tasks then look at */
  complete(tokens: DrawnTokens | null, details: (() => string) | null): void {
    // Somebody may have passed it on already; that copy stays as it is.
    if (this.#image) this.#picture ??= drawnPicture(this.#image, this.#prompt, tokens);
    if (details) this.#foot.append(say(element('p', { className: 'card-details' }), details));
  }

  /** What came last before it was stopped or failed stays, without a bar. */
  end(state: 'stopped' | 'failed'): void {
    if (this.#image) return;
    this.root.dataset['state'] = state;
    this.#bar.remove();
    say(this.#stage, () => t()[state]);
    say(this.#percent, () => '');
  }
}

/** Words of the prompt, joined by dashes, fit for every file system. */
function fileName(prompt: string): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['rudolph'];
  return words.join('-').slice(0, 60);
}
