import type { TextToImageOptions } from '../index';
import { element } from './dom';
import { say, t } from './language';
import type { Model } from './model';
import {
  createAdvanced,
  createField,
  createSegments,
  IMAGE_DEFAULTS,
  readNumber,
  readTemplate,
  SamplingFields,
} from './settings';
import type { Strings } from './strings';

/** What both ways of drawing can be told: how many, which seed, and the rarely needed rest. */
export class DrawSettings {
  /** Number, seed and the button that starts. */
  readonly row: HTMLElement;
  readonly advanced: HTMLElement;
  readonly button: HTMLButtonElement;
  readonly sampling: SamplingFields;
  readonly #count;
  readonly #keep;
  readonly #decoder;
  readonly #guidance: HTMLInputElement;
  readonly #template: HTMLInputElement;

  /** @param task before each id */
  constructor(task: string, model: Model) {
    this.#count = createSegments(`${task}-count`, (strings) => strings.count, [[1], [2], [4], [8]], 1);
    this.#keep = createSegments(
      `${task}-keep`,
      (strings) => strings.keep,
      [[0, (strings: Strings) => strings.keepAll], [1], [2], [4]],
      0,
    );
    this.#decoder = createSegments<'plain' | 'dwt'>(
      `${task}-decoder`,
      (strings) => strings.decoder,
      [
        ['plain', (strings) => strings.decoderPlain],
        ['dwt', (strings) => strings.decoderDouble],
      ],
      'plain',
    );
    this.sampling = new SamplingFields(task, IMAGE_DEFAULTS);
    const guidance = createField(`${task}-guidance`, (strings) => strings.guidance, {
      hint: (strings) => strings.guidanceHint,
      placeholder: '0',
      mode: 'decimal',
    });
    const template = createField(`${task}-template`, (strings) => strings.template, {
      hint: (strings) => strings.templateHint,
      placeholder: '{}',
      lang: 'ru',
    });
    this.#guidance = guidance.input;
    this.#template = template.input;
    this.button = element('button', { type: 'submit', className: 'primary', id: `${task}-button` });
    this.row = element('div', { className: 'settings' }, this.#count.root, this.sampling.seed, this.button);
    this.advanced = createAdvanced(
      ...this.sampling.fields,
      guidance.root,
      template.root,
      this.#keep.root,
      this.#decoder.root,
    );
    // Only a model with both decoders leaves a choice.
    model.watch((state) => {
      const { imageDecoder, imageDecoderDwt } = state.type === 'ready' ? state.rudolph.info.model.components : {};
      this.#decoder.root.hidden = !(imageDecoder && imageDecoderDwt);
    });
  }

  /** Candidates to draw, and how many of them to keep. */
  get count(): { readonly count: number; readonly keep: number | null } {
    const count = this.#count.value;
    const keep = this.#keep.value;
    return { count, keep: keep === 0 ? null : Math.min(keep, count) };
  }

  /**
   * Options without `count` and `keep`, and with a seed: drawn here where none is given, so that it is known even of
   * pictures whose siblings were stopped.
   * @throws LocalError for a value out of range, after putting the focus on its field.
   */
  read(): TextToImageOptions & { readonly seed: number } {
    const sampling = this.sampling.read();
    const guidance = readNumber(
      this.#guidance,
      (value) => value >= 0 && value <= 1,
      (strings) => strings.badGuidance,
    );
    const template = readTemplate(this.#template);
    return {
      ...sampling,
      seed: sampling.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!,
      ...(guidance === undefined ? {} : { guidance }),
      ...(template === undefined ? {} : { template }),
      ...(this.#decoder.root.hidden ? {} : { decoder: this.#decoder.value }),
    };
  }

  /** Shows whether the button starts or stops. */
  showButton(running: boolean, label: (strings: Strings) => string): void {
    this.button.classList.toggle('stops', running);
    say(this.button, () => (running ? t().stop : label(t())));
  }
}
