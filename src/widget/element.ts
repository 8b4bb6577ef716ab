import { html, LitElement, nothing, type TemplateResult } from 'lit';
import { type ModelFilesInput, type Picture, readPicture, type RgbaImage, type Rudolph, RudolphError } from '../index';
import type { RudolphWidget, WidgetOptions, WidgetProgress, WidgetResult, WidgetState, WidgetTask } from './api';
import { paint, save } from './canvas';
import { isModel, ownModelPicker } from './ownModel';
import { SharedModel, takeFiles } from './sharedModel';
import { isRussian, languageAt, type Problem, type Strings, stringsFor } from './strings';
import { ofLoad, progressBar } from './progress';
import { style } from './style';
import { type AnyEvent, check, linesOf, needsOf, start } from './tasks';
import { fileName, noticeText } from './text';

/** Implements `RudolphWidget`, which describes it. */
export class WidgetElement extends LitElement implements RudolphWidget {
  static override readonly styles = style;
  static override readonly properties = {
    task: { type: String },
    model: { type: String },
    prompt: { type: String },
    classes: { converter: { fromAttribute: listOf } },
    count: { type: Number },
    seed: { type: Number },
    src: { type: String },
    picture: { attribute: false },
    options: { attribute: false },
    workerUrl: { type: String, attribute: 'worker-url' },
    ownModel: { type: Boolean, attribute: 'own-model' },
  };

  declare task: WidgetTask;
  declare model: string;
  declare prompt: string;
  declare classes: readonly string[];
  declare count: number | null;
  declare seed: number | null;
  declare src: string;
  declare picture: Picture | null;
  declare options: WidgetOptions;
  declare workerUrl: string;
  declare ownModel: boolean;

  #files: ModelFilesInput | null = null;
  #state: WidgetState = 'idle';
  #shared: SharedModel | null = null;
  #running: AbortController | null = null;
  #progress: WidgetProgress | null = null;
  #images: (RgbaImage | null)[] = [];
  /** What the pictures show: the field may say something else by now. */
  #drawnPrompt = '';
  #drafts: readonly string[] = [];
  #result: WidgetResult | null = null;
  #notes: readonly string[] = [];
  #error: unknown = null;
  /** `picture` as pixels. */
  #seen: { readonly picture: Picture; readonly pixels: Promise<RgbaImage> } | null = null;
  #over = false;
  /** Other parts of the page may change the language that the widget inherits. */
  readonly #languages = new MutationObserver(() => this.requestUpdate());

  constructor() {
    super();
    this.task = 'draw';
    this.model = this.prompt = this.src = this.workerUrl = '';
    this.classes = [];
    this.count = this.seed = this.picture = null;
    this.options = {};
    this.ownModel = false;
  }

  get files(): ModelFilesInput | null {
    return this.#files;
  }

  set files(files: ModelFilesInput | null) {
    if (files) void takeFiles(files);
    this.#files = files;
    this.requestUpdate();
  }

  get state(): WidgetState {
    return this.#state;
  }

  get rudolph(): Rudolph | null {
    return this.#shared?.rudolph ?? null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#shared?.use(this);
    this.#languages.observe(document, { subtree: true, attributeFilter: ['lang'] });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#languages.disconnect();
    this.#shared?.leave(this);
    // Moved, it goes on.
    queueMicrotask(() => {
      if (!this.isConnected) this.cancel();
    });
  }

  cancel(): void {
    this.#running?.abort();
  }

  async run(): Promise<WidgetResult> {
    this.#running?.abort();
    const controller = new AbortController();
    const { signal } = controller;
    this.#running = controller;
    this.#progress = this.#result = this.#error = null;
    this.#images = [];
    this.#drafts = this.#notes = [];
    this.#drawnPrompt = this.prompt;
    let unwatch = (): void => undefined;
    const shared = this.#share();
    try {
      check(this);
      this.#become('loading');
      this.#advance({ stage: 'manifest', done: 0, total: 0 });
      unwatch = shared.watch((progress) => this.#advance(ofLoad(progress)));
      const rudolph = await shared.ready(signal);
      this.#become('running');
      if (rudolph.info.adapter.software) this.#notes = [this.#strings().software];
      this.#advance({ stage: 'queue', done: 0, total: 0 });
      const picture = needsOf(this.task).picture === 'none' ? null : await this.#look(signal);
      signal.throwIfAborted();
      const { events, result } = start(rudolph, this, picture, signal);
      for await (const event of events) this.#tell(event);
      const done = await result;
      if (done.task === 'draw') this.#images = [...done.result.images];
      this.#result = done;
      this.#end(controller, 'done');
      this.dispatchEvent(new CustomEvent('result', { detail: done }));
      return done;
    } catch (error) {
      shared.noteFailure(error);
      // A run that came after it has taken the place.
      if (this.#running === controller) {
        if (signal.aborted) this.#end(controller, 'stopped');
        else {
          this.#error = error;
          this.#end(controller, 'failed');
          this.dispatchEvent(new CustomEvent('error', { detail: error }));
        }
      }
      throw error;
    } finally {
      unwatch();
    }
  }

  /** The engine of what `files` or `model` say now. */
  #share(): SharedModel {
    const shared = SharedModel.of(this.#files ? takeFiles(this.#files) : this.model, this.workerUrl);
    if (shared !== this.#shared) this.#shared?.leave(this);
    this.#shared = shared;
    if (this.isConnected) shared.use(this);
    return shared;
  }

  #become(state: WidgetState): void {
    this.#state = state;
    this.setAttribute('state', state);
    this.requestUpdate();
  }

  #end(controller: AbortController, state: 'done' | 'stopped' | 'failed'): void {
    if (this.#running === controller) this.#running = null;
    this.#progress = null;
    this.#drafts = [];
    this.#become(state);
  }

  #advance(progress: WidgetProgress): void {
    if (!this.#running) return;
    this.#progress = progress;
    this.requestUpdate();
    this.dispatchEvent(new CustomEvent('progress', { detail: progress }));
  }

  #tell(event: AnyEvent): void {
    if (event.type === 'progress') this.#advance({ stage: event.stage, done: event.done, total: event.total });
    else if (event.type === 'preview') this.#images = [...event.images];
    else if (event.type === 'picture') this.#images[event.candidate] = event.image;
    else if (event.type === 'drafts') this.#drafts = event.texts;
    else this.#notes = [...this.#notes, noticeText(event.message, this.#strings())];
    this.requestUpdate();
  }

  /** The chosen picture's pixels; null where there is none, which `check` has allowed. */
  async #look(signal: AbortSignal): Promise<RgbaImage | null> {
    if (this.picture) return this.#pixels(this.picture);
    if (!this.src) return null;
    await this.updateComplete;
    const image = this.renderRoot.querySelector('img');
    if (!image) return null;
    try {
      await image.decode();
    } catch (cause) {
      throw new RudolphError(
        'bad-input',
        `the picture ${image.src} cannot be read: it is missing, no picture, or from a site that does not allow it (CORS)`,
        {},
        { cause },
      );
    }
    return readPicture(image, signal);
  }

  #pixels(picture: Picture): Promise<RgbaImage> {
    if (this.#seen?.picture !== picture) {
      const pixels = readPicture(picture);
      pixels.catch(() => undefined);
      this.#seen = { picture, pixels };
    }
    return this.#seen.pixels;
  }

  async #take(file: File | undefined): Promise<void> {
    if (!file) return;
    const before = this.picture;
    this.picture = file;
    try {
      await this.#pixels(file);
      this.#error = null;
    } catch (error) {
      if (this.picture !== file) return;
      this.picture = before;
      this.#error = error;
      this.dispatchEvent(new CustomEvent('error', { detail: error }));
    }
    this.requestUpdate();
  }

  #overModel(event: DragEvent): void {
    if (this.ownModel) event.preventDefault();
  }

  #dropModel(event: DragEvent): void {
    if (!this.ownModel || !event.dataTransfer) return;
    event.preventDefault(); // what is no model would be opened in the page's place
    if (isModel(event.dataTransfer)) this.files = event.dataTransfer;
  }

  #press(event: MouseEvent): void {
    if (event.detail > 1) return; // the second click of a double click would stop what the first one started
    if (this.#running) this.cancel();
    else this.#start();
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!this.#running) this.#start();
  }

  #start(): void {
    this.run().catch((error: unknown) => {
      if (problemOf(error) === 'no-prompt') this.renderRoot.querySelector('textarea')?.focus();
    });
  }

  #strings(): Strings {
    return stringsFor(languageAt(this));
  }

  protected override render(): TemplateResult {
    const strings = this.#strings();
    const needs = needsOf(this.task);
    const task = Object.hasOwn(strings.start, this.task) ? this.task : 'draw';
    const running = this.#running !== null;
    const given = this.#files !== null;
    const downloads = this.#state === 'idle' && !this.#error && this.model !== '' && !given;
    const language = isRussian(languageAt(this)) ? 'ru' : 'en';
    const noGpu = this.#error instanceof RudolphError && this.#error.code === 'no-webgpu';
    return html`<div class="stack" lang=${language} @dragover=${this.#overModel} @drop=${this.#dropModel}>
      <slot name="heading"></slot>
      ${needs.picture === 'none' ? nothing : this.#picker(strings)}
      ${needs.prompt ? this.#field(strings.prompt[task as keyof Strings['prompt']]) : nothing}
      <button part="button" type="button" class=${running ? 'stops' : ''} @click=${this.#press}>
        ${running ? strings.stop : strings.start[task]}
      </button>
      ${downloads ? html`<p class="hint" part="hint">${strings.firstTime}</p>` : nothing}
      ${this.ownModel ? ownModelPicker(strings, given, !this.model && !given, (files) => (this.files = files)) : nothing}
      ${this.#progress ? progressBar(this.#progress, strings, language) : nothing}
      <p class="unseen" role="status">${this.#spoken(strings)}</p>
      ${this.#notes.map((note) => html`<p class="note" part="note">${note}</p>`)}
      <div role="alert">${this.#error ? this.#errorBlock(strings) : nothing}</div>
      <slot ?hidden=${!noGpu}></slot>
      <div
        part="output"
        aria-busy=${running}
        ?hidden=${this.#images.length + this.#drafts.length === 0 && !this.#result}
      >
        ${this.#pictures(strings)} ${this.#texts(strings, language)}
      </div>
      <slot name="poster" ?hidden=${this.#images.length > 0 || this.#result !== null}></slot>
      <slot name="footer"></slot>
    </div>`;
  }

  protected override updated(): void {
    const canvases = this.renderRoot.querySelectorAll<HTMLCanvasElement>('canvas.picture');
    this.#images.forEach((image, k) => image && canvases[k] && paint(canvases[k], image));
    const seen = this.renderRoot.querySelector<HTMLCanvasElement>('canvas.seen');
    const { picture } = this;
    if (!seen || !picture) return;
    this.#pixels(picture).then(
      (image) => this.picture === picture && paint(seen, image),
      () => undefined,
    );
  }

  #field(label: string): TemplateResult {
    const invalid = problemOf(this.#error) === 'no-prompt';
    return html`<div>
      <label for="prompt">${label}</label>
      <textarea
        id="prompt"
        part="input"
        lang="ru"
        rows="2"
        aria-invalid=${invalid}
        aria-describedby=${invalid ? 'problem' : nothing}
        .value=${this.prompt}
        @input=${(event: InputEvent) => (this.prompt = (event.target as HTMLTextAreaElement).value)}
        @keydown=${this.#key}
      ></textarea>
    </div>`;
  }

  #picker(strings: Strings): TemplateResult {
    const shown = this.picture
      ? html`<canvas class="seen" width="1" height="1"></canvas>`
      : this.src
        ? html`<img src=${this.src} crossorigin="anonymous" alt="" />`
        : nothing;
    const over =
      (now: boolean) =>
      (event: DragEvent): void => {
        if (now) event.preventDefault();
        if (this.#over === now) return;
        this.#over = now;
        this.requestUpdate();
      };
    const drop = (event: DragEvent): void => {
      over(false)(event);
      if (this.ownModel && event.dataTransfer && isModel(event.dataTransfer)) return; // #dropModel takes it
      event.preventDefault();
      void this.#take(event.dataTransfer?.files[0]);
    };
    return html`<label
      part="picker"
      class="drop ${this.#over ? 'over' : ''}"
      @dragover=${over(true)}
      @dragleave=${over(false)}
      @drop=${drop}
    >
      <input
        class="unseen"
        type="file"
        accept="image/*"
        aria-label=${`${strings.picture}. ${shown === nothing ? strings.choosePicture : strings.otherPicture}`}
        @change=${(event: Event) => {
          const input = event.target as HTMLInputElement;
          void this.#take(input.files?.[0]);
          input.value = ''; // the same file can be chosen again
        }}
      />
      ${shown === nothing ? html`<span>${strings.choosePicture}</span>` : shown}
    </label>`;
  }

  /** For screen readers: stages, not every percent, and what came of it. */
  #spoken(strings: Strings): string {
    if (this.#progress) return strings.stages[this.#progress.stage];
    if (this.#state === 'stopped') return strings.stopped;
    if (!this.#result) return '';
    const [best] = linesOf(this.#result, this.classes);
    return best ? `${strings.done}: ${best.text || strings.empty}` : strings.done;
  }

  #pictures(strings: Strings): TemplateResult | typeof nothing {
    const count = this.#images.length;
    if (count === 0) return nothing;
    const item = (k: number): TemplateResult => {
      const label = strings.drawn(this.#drawnPrompt, k + 1, count);
      const finished = this.#result?.task === 'draw' ? this.#result.result.images[k] : undefined;
      return html`<li>
        <canvas class="picture" part="picture" role="img" aria-label=${label} width="1" height="1"></canvas>
        ${
          finished
            ? html`<button
                part="save"
                type="button"
                class="quiet"
                aria-label=${count > 1 ? `${strings.save} (${k + 1})` : nothing}
                @click=${() => save(finished, `${fileName(this.#drawnPrompt)}-${k + 1}`)}
              >
                ${strings.save}
              </button>`
            : nothing
        }
      </li>`;
    };
    return html`<ol class="pictures">
      ${this.#images.map((_, k) => item(k))}
    </ol>`;
  }

  #texts(strings: Strings, language: string): TemplateResult | typeof nothing {
    const lines = this.#result
      ? linesOf(this.#result, this.classes)
      : [...new Set(this.#drafts)].map((text) => ({ text, share: null }));
    if (lines.length === 0) return nothing;
    const percent = new Intl.NumberFormat(language, { style: 'percent' });
    return html`<ol class="texts" part="texts">
      ${lines.map(
        ({ text, share }) =>
          html`<li part="text">
            <span lang="ru">${text || strings.empty}</span>
            ${share === null ? nothing : html`<span class="share">${percent.format(share)}</span>`}
          </li>`,
      )}
    </ol>`;
  }

  #errorBlock(strings: Strings): TemplateResult {
    const error = this.#error;
    const problem = problemOf(error);
    const headline = problem
      ? strings.problems[problem]
      : error instanceof RudolphError
        ? strings.errors[error.code]
        : strings.unknownError;
    const message = error instanceof Error ? error.message : String(error);
    return html`<div class="error" part="error">
      <p id="problem">${headline}</p>
      ${
        problem
          ? nothing
          : html`<details>
              <summary>${strings.details}</summary>
              <p lang="en">${message}</p>
            </details>`
      }
    </div>`;
  }
}

function listOf(attribute: string | null): readonly string[] {
  return (attribute ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
}

/** Set on the errors that `check` throws. */
function problemOf(error: unknown): Problem | null {
  return error instanceof RudolphError ? ((error.details['problem'] as Problem | undefined) ?? null) : null;
}
