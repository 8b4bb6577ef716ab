import type {
  AnswerOptions,
  CaptionOptions,
  CaptionResult,
  ClassifyOptions,
  ClassifyResult,
  ContinueTextOptions,
  ContinueTextResult,
  ModelFilesInput,
  Picture,
  ReadTextOptions,
  Rudolph,
  RudolphError,
  TextResult,
  TextToImageOptions,
  TextToImageResult,
} from '../index';

/** What a widget does: the library's `textToImage`, `caption`, `answer`, `readText`, `classify` or `continueText`. */
export type WidgetTask = 'draw' | 'caption' | 'answer' | 'read' | 'classify' | 'continue';

/** `idle`: nothing was started yet. `loading`: the model comes. Also an attribute, for styles: `rudolph-widget[state='running']`. */
export type WidgetState = 'idle' | 'loading' | 'running' | 'done' | 'stopped' | 'failed';

/** Options of the library's methods; which count is up to the task. */
export type WidgetOptions = TextToImageOptions &
  CaptionOptions &
  AnswerOptions &
  ReadTextOptions &
  ClassifyOptions &
  ContinueTextOptions;

/** What a task ended with, as the library returns it. */
export type WidgetResult =
  | { readonly task: 'draw'; readonly result: TextToImageResult }
  | { readonly task: 'caption'; readonly result: CaptionResult }
  | { readonly task: 'answer' | 'read'; readonly result: TextResult }
  | { readonly task: 'classify'; readonly result: ClassifyResult }
  | { readonly task: 'continue'; readonly result: ContinueTextResult };

/** How far a run has come. */
export interface WidgetProgress {
  /**
   * `files`, `copy`, `convert`, `preview`: a model's files are recognised, stored or converted; `manifest`, `download`, `compile`: the
   * model is loaded (`done` and `total` are bytes); `queue`: another widget's task comes
   * first; `image`: a picture is read; `prompt`: the beginning is computed; `tokens`: it draws or writes; `scores`: results are
   * compared; `pictures`: tokens become pixels.
   */
  readonly stage:
    | 'files'
    | 'copy'
    | 'convert'
    | 'preview'
    | 'manifest'
    | 'download'
    | 'compile'
    | 'queue'
    | 'image'
    | 'prompt'
    | 'tokens'
    | 'scores'
    | 'pictures';
  readonly done: number;
  /** 0 while it is not known. */
  readonly total: number;
}

/** The events of a widget. They do not bubble. */
export interface RudolphWidgetEventMap {
  progress: CustomEvent<WidgetProgress>;
  result: CustomEvent<WidgetResult>;
  /** A RudolphError where the library, or the widget, knows what went wrong. Not sent when somebody stopped the run. */
  error: CustomEvent<RudolphError | Error>;
}

type EventOf<K extends keyof WidgetEvents> = WidgetEvents[K];
type WidgetEvents = Omit<HTMLElementEventMap, keyof RudolphWidgetEventMap> & RudolphWidgetEventMap;

/**
 * The element `<rudolph-widget>`: one task of one model, with everything a visitor needs to use it. It loads nothing before the
 * visitor starts; widgets with the same `model` share one engine.
 *
 * ```html
 * <script type="module" src="rudolph-web/widget.js"></script>
 * <rudolph-widget model="models/embedded/" task="draw" prompt="кот слева от ёлки"></rudolph-widget>
 * ```
 */
export interface RudolphWidget extends HTMLElement {
  /** Attribute `task`; `draw` by default. */
  task: WidgetTask;
  /** Attribute `model`: the folder with `rudolph.json`, relative to the page. */
  model: string;
  /**
   * Files of a model, over `model`: a converted folder, or upstream's checkpoint, which is converted in the visitor's browser. They are taken
   * at once, so that a drop may be given. What a visitor chose (`ownModel`) is found here, too.
   */
  files: ModelFilesInput | null;
  /** Attribute `own-model`: visitors may give the files of a model, by a picker or by dropping them on the widget. */
  ownModel: boolean;
  /** Attribute `prompt`: the text in the field (what to draw, the question, the text to go on with). Follows what the visitor types. */
  prompt: string;
  /** Attribute `classes`, separated by commas: what `classify` chooses from. */
  classes: readonly string[];
  /** Attribute `count`: pictures or drafts; by default 4 of captions, answers and texts that are read, else 1. */
  count: number | null;
  /** Attribute `seed`; random by default. */
  seed: number | null;
  /** Attribute `src`: address of a picture to begin with; of another site, only if it sends CORS headers. */
  src: string;
  /** The picture to look at, instead of `src`; the one that the visitor chose is found here, too. */
  picture: Picture | null;
  /** More options for the library's method, over `count` and `seed`. */
  options: WidgetOptions;
  /** Attribute `worker-url`: where `worker.js` lies, if not beside the widget's script. */
  workerUrl: string;
  readonly state: WidgetState;
  /** The loaded model, for pages that want to use it as well; null before. It belongs to the widgets: do not dispose of it. */
  readonly rudolph: Rudolph | null;
  /**
   * What the button does. Rejects with what the `error` event tells, or an `AbortError` when it was stopped. A run that is under
   * way gives way.
   */
  run(): Promise<WidgetResult>;
  /** Stops loading or working. What was downloaded is kept. */
  cancel(): void;

  addEventListener<K extends keyof WidgetEvents>(
    type: K,
    listener: (this: RudolphWidget, event: EventOf<K>) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof WidgetEvents>(
    type: K,
    listener: (this: RudolphWidget, event: EventOf<K>) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void;
}
