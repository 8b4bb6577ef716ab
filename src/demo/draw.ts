import type { RgbaImage } from '../index';
import { byId, element, icon } from './dom';
import { headlineOf, isAbort, LocalError } from './explain';
import { say, t } from './language';
import type { Model } from './model';
import { Run } from './run';
import { createSegments, readSampling } from './settings';

const FALLBACK_EXAMPLES = [
  'большая вишня в центре на белом фоне',
  'кот слева от ёлки',
  'корона над тигром на синем фоне',
];
const MOST_EXAMPLES = 8;
/** Older runs go: each keeps its pictures in memory. */
const MOST_RUNS = 20;

/** The form, its examples and the runs below it. */
export function startDraw(
  model: Model,
  describe: (image: RgbaImage) => void,
): { readonly suggest: (prompt: string) => void } {
  const form = byId<HTMLFormElement>('draw-form');
  const prompt = byId<HTMLTextAreaElement>('prompt');
  const seed = byId<HTMLInputElement>('seed');
  const drawButton = byId<HTMLButtonElement>('draw-button');
  const problem = byId('draw-error');
  const runs = byId('runs');
  const count = createSegments(byId('draw-count'), [1, 2, 4, 8], 1);
  let running: AbortController | null = null;

  const newSeed = byId<HTMLButtonElement>('new-seed');
  newSeed.append(icon('seed'));
  say(newSeed, () => t().newSeed, 'aria-label');
  say(newSeed, () => `${t().newSeed}. ${t().seedHint}`, 'title');
  newSeed.addEventListener('click', () => {
    seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]!);
    seed.removeAttribute('aria-invalid');
  });

  const showButton = (): void => {
    drawButton.classList.toggle('stops', running !== null);
    say(drawButton, () => (running ? t().stop : t().draw));
  };
  showButton();

  const showProblem = (error: unknown): void => {
    problem.hidden = error === null;
    say(problem, () => (error === null ? '' : headlineOf(error)));
  };

  const suggest = (text: string): void => {
    prompt.value = text;
    fit(prompt);
    showProblem(null);
    (running ? prompt : drawButton).focus();
    prompt.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  };

  const draw = async (): Promise<void> => {
    const text = prompt.value.replace(/\s+/g, ' ').trim();
    try {
      if (text === '') {
        prompt.focus();
        throw new LocalError((strings) => strings.emptyPrompt);
      }
      const sampling = readSampling();
      showProblem(null);
      const run = new Run(text, count(), sampling, {
        describe,
        reuse: (oldPrompt, oldSeed) => {
          seed.value = String(oldSeed);
          suggest(oldPrompt);
        },
      });
      running = new AbortController();
      showButton();
      runs.prepend(run.root);
      while (runs.children.length > MOST_RUNS) runs.lastElementChild!.remove();
      const error = await run.draw(model.ready(running.signal), running.signal);
      if (!error) return;
      model.noteFailure(error);
      if (!run.root.isConnected && !isAbort(error)) showProblem(error);
    } catch (error) {
      showProblem(error);
    } finally {
      running = null;
      showButton();
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

  const showExamples = (examples: readonly string[]): void => {
    const chips = examples.slice(0, MOST_EXAMPLES).map((example) => {
      const chip = element('button', { type: 'button', className: 'chip', lang: 'ru', textContent: example });
      chip.addEventListener('click', () => suggest(example));
      return chip;
    });
    byId('examples').replaceChildren(...chips);
    say(prompt, () => t().promptPlaceholder(examples[0]!), 'placeholder');
  };
  showExamples(FALLBACK_EXAMPLES);
  let known = false;
  model.watch((state) => {
    if (state.type !== 'ready' || known) return;
    known = true;
    const { examples } = state.rudolph.info.model;
    if (examples && examples.length > 0) showExamples(examples);
  });
  return { suggest };
}

/** Grows a field with its text. */
function fit(field: HTMLTextAreaElement): void {
  field.style.height = 'auto';
  field.style.height = `${field.scrollHeight}px`;
}
