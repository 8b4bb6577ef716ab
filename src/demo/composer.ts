import type { Ranking } from '../index';
import { fit, showAgain } from './controls';
import { element } from './dom';
import { DrawSettings } from './drawSettings';
import { PROMPTS } from './examples';
import { headlineOf, isAbort, LocalError } from './explain';
import { say, t } from './language';
import type { Page } from './page';
import { createExamples } from './panel';
import { type HistoryEntry, pixelsOf, storedDrawing } from './history';
import type { Fields } from './link';
import { addRun, type Drawn, Run, type StartDrawing } from './run';
import type { Strings } from './strings';

const MOST_EXAMPLES = 8;

/** A form whose runs appear below it: what drawing and redrawing have in common. */
export interface Composer {
  readonly form: HTMLFormElement;
  readonly runs: HTMLElement;
  readonly prompt: HTMLTextAreaElement;
  readonly settings: DrawSettings;
  /** Puts a prompt into the field. */
  readonly suggest: (text: string) => void;
}

/**
 * @param request what to draw; may throw a LocalError. It gets the prompt, the settings are read by then.
 */
export function createComposer(
  page: Page,
  task: 'draw' | 'inpaint',
  words: { readonly label: (strings: Strings) => string; readonly button: (strings: Strings) => string },
  request: (
    prompt: string,
    options: ReturnType<DrawSettings['read']> & { readonly count: number; readonly keep?: number },
  ) => StartDrawing,
): Composer {
  const prompt = element('textarea', {
    id: `${task}-prompt`,
    rows: 2,
    lang: 'ru',
    enterKeyHint: 'go',
    spellcheck: true,
    autocomplete: 'off',
  });
  const problem = element('p', { className: 'field-error', role: 'alert', hidden: true, id: `${task}-error` });
  const settings = new DrawSettings(task, page.model);
  const runs = element('div', { className: 'runs' });
  const examples = createExamples((example) => suggest(example));
  const form = element(
    'form',
    { className: 'composer', id: `${task}-form`, noValidate: true },
    say(element('label', { className: 'visually-hidden', htmlFor: prompt.id }), () => words.label(t())),
    prompt,
    problem,
    examples.root,
    settings.row,
    settings.advanced,
  );
  let running: AbortController | null = null;

  const showRunning = (controller: AbortController | null): void => {
    running = controller;
    settings.showButton(running !== null, words.button);
    page.tabs.setBusy(task, form, running !== null);
  };
  const showProblem = (error: unknown): void => {
    problem.hidden = error === null;
    say(problem, () => (error === null ? '' : headlineOf(error)));
  };
  const suggest = (text: string): void => {
    prompt.value = text;
    fit(prompt);
    showProblem(null);
    (running ? prompt : settings.button).focus();
    prompt.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  };

  /** @param fields the form, with the seed in use */
  const createRun = (fields: Fields, count: number, keep: number | null): Run => {
    const text = fields['prompt'] ?? '';
    const seed = Number(fields['seed']);
    const reuse = (): void => {
      settings.sampling.setSeed(seed);
      suggest(text);
    };
    const link = page.links.address(task, fields);
    return new Run({ prompt: text, count, keep, seed, link, fromPicture: task === 'inpaint', reuse }, page);
  };

  /** Runs on the screen that are in the history, by id. */
  const shown = new Map<string, Run>();
  const remember = async (fields: Fields, { images, tokens, ranking }: Drawn, run: Run): Promise<void> => {
    const title = fields['prompt'] ?? '';
    const pictures = await Promise.all(images.map((image, k) => storedDrawing(image, tokens[k]!, title)));
    shown.set(page.history.add({ task, title, fields, pictures, result: ranking ?? null }), run);
  };
  const restore = async ({ id, fields, pictures, result }: HistoryEntry): Promise<void> => {
    page.tabs.open(task);
    page.links.fill(task, fields);
    let run = shown.get(id);
    if (!run?.root.isConnected) {
      const images = await Promise.all(pictures.map(pixelsOf));
      run = createRun(fields, images.length, null);
      addRun(runs, run);
      run.restore({
        images,
        tokens: pictures.map((picture) => picture.tokens),
        ...(result ? { ranking: result as Ranking } : {}),
      });
      shown.set(id, run);
    }
    showAgain(run.root);
  };
  page.history.onOpen(task, restore);

  const draw = async (): Promise<void> => {
    const text = prompt.value.replace(/\s+/g, ' ').trim();
    try {
      if (text === '') {
        prompt.focus();
        throw new LocalError((strings) => strings.emptyPrompt);
      }
      const options = settings.read();
      const { count, keep } = settings.count;
      const start = request(text, { ...options, count, ...(keep === null ? {} : { keep }) });
      showProblem(null);
      const fields = { ...page.links.of(task), seed: String(options.seed) };
      const run = createRun(fields, count, keep);
      const controller = new AbortController();
      showRunning(controller);
      addRun(runs, run);
      const end = await run.draw(page.model.ready(controller.signal), start, controller.signal);
      if ('drawn' in end) return void remember(fields, end.drawn, run).catch(() => undefined);
      page.model.noteFailure(end.error);
      if (!run.root.isConnected && !isAbort(end.error)) showProblem(end.error);
    } catch (error) {
      showProblem(error);
    } finally {
      showRunning(null);
    }
  };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) running.abort();
    else void draw();
  });
  prompt.addEventListener('keydown', (event) => {
    // Shift+Enter makes a line; while an input method composes, Enter is its own.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!running) void draw();
  });
  prompt.addEventListener('input', () => {
    fit(prompt);
    showProblem(null);
  });
  // Enter in a field of the settings starts, but never stops.
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && running && event.target instanceof HTMLInputElement) event.preventDefault();
  });
  page.tabs.onOpen(task, () => fit(prompt)); // hidden fields have no height

  const showExamples = (prompts: readonly string[]): void => {
    examples.show(prompts.slice(0, MOST_EXAMPLES));
    say(prompt, () => t().promptPlaceholder(prompts[0]!), 'placeholder');
  };
  showExamples(PROMPTS);
  let known = false;
  page.model.watch((state) => {
    if (state.type !== 'ready' || known) return;
    known = true;
    const own = state.rudolph.info.model.examples;
    if (own && own.length > 0) showExamples(own);
  });
  showRunning(null);
  return { form, runs, prompt, settings, suggest };
}
