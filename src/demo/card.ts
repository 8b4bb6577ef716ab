import { type RgbaImage, toBlob } from '../index';
import { createBar, element, icon, paint, setBar } from './dom';
import { numberText, say, t } from './language';
import type { Strings } from './strings';

export interface CardActions {
  /** Has the picture described. */
  readonly describe: (image: RgbaImage) => void;
}

/** One picture: empty, then a growing mosaic, then finished. */
export class Card {
  readonly root: HTMLElement;
  readonly #mosaic = element('canvas', { className: 'mosaic', width: 1, height: 1 });
  readonly #frame = element('div', { className: 'frame' });
  readonly #stage = element('span', { className: 'card-stage' });
  readonly #percent = element('span', { className: 'card-percent' });
  readonly #bar = createBar();
  readonly #foot = element('div', { className: 'card-foot' });
  readonly #actions: CardActions;
  readonly #number: number;
  readonly #fileName: string;
  #finished = false;

  constructor(number: number, prompt: string, actions: CardActions) {
    this.#number = number;
    this.#actions = actions;
    this.#fileName = fileName(prompt);
    this.#frame.append(this.#mosaic);
    say(this.#bar, () => t().progressLabel(number), 'aria-label');
    this.#foot.append(this.#bar, element('p', { className: 'card-progress' }, this.#stage, this.#percent));
    this.root = element('li', { className: 'card' }, this.#frame, this.#foot);
    this.root.dataset['state'] = 'waiting';
    say(this.#frame, () => t().cardLabel(number, prompt), 'aria-label');
    this.#frame.setAttribute('role', 'img');
    setBar(this.#bar, null);
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** @param part 0…1 of the whole way, or null while nothing is known. */
  progress(stage: (strings: Strings) => string, part: number | null): void {
    if (this.#finished) return;
    say(this.#stage, () => stage(t()));
    say(this.#percent, () => (part === null ? '' : `${numberText(part * 100, 0)}\u00a0%`));
    setBar(this.#bar, part);
    if (part !== null) this.root.dataset['state'] = 'working';
  }

  /** The unfinished picture, a pixel a token. */
  preview(image: RgbaImage): void {
    if (this.#finished) return;
    this.#frame.style.setProperty('--side', String(image.width));
    paint(this.#mosaic, image);
  }

  /** The finished picture takes the mosaic's place. */
  finish(image: RgbaImage, seed: number): void {
    if (this.#finished) return;
    this.#finished = true;
    const canvas = element('canvas', { className: 'picture' });
    paint(canvas, image);
    this.#frame.append(canvas);
    this.root.dataset['state'] = 'done';
    const save = button('save', () => t().save);
    say(save, () => t().saveLabel(this.#number), 'aria-label');
    save.addEventListener('click', () => void this.#save(image, seed));
    const describe = button('describe', () => t().describe);
    say(describe, () => t().describeLabel(this.#number), 'aria-label');
    describe.addEventListener('click', () => this.#actions.describe(image));
    this.#foot.replaceChildren(element('div', { className: 'card-actions' }, save, describe));
  }

  /** What came last before it was stopped or failed stays, without a bar. */
  end(state: 'stopped' | 'failed'): void {
    if (this.#finished) return;
    this.root.dataset['state'] = state;
    this.#bar.remove();
    say(this.#stage, () => t()[state]);
    say(this.#percent, () => '');
  }

  async #save(image: RgbaImage, seed: number): Promise<void> {
    const url = URL.createObjectURL(await toBlob(image));
    element('a', {
      href: url,
      download: `${this.#fileName}-${seed}-${this.#number}.png`,
    }).click();
    // The download has its own hold of the data by then.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

/** A quiet button with an icon and a word. */
export function button(mark: Parameters<typeof icon>[0], label: () => string): HTMLButtonElement {
  return element('button', { type: 'button', className: 'quiet' }, icon(mark), say(element('span'), label));
}

/** Words of the prompt, joined by dashes, fit for every file system. */
function fileName(prompt: string): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['rudolph'];
  return words.join('-').slice(0, 60);
}
