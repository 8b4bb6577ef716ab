import { type RgbaImage, RudolphError } from '../index';
import { button } from './card';
import { announce, byId, createBar, element, setBar } from './dom';
import { errorBlock, isAbort, LocalError, noticeText } from './explain';
import { bytesText, say, t } from './language';
import type { Model } from './model';
import { createSegments } from './settings';
import type { Strings } from './strings';

/** How upstream's captions begin; it is no part of what is to be drawn. */
const TEMPLATE = /^на картинке\s*/i;
/** Different captions shown at once; the rarer ones are folded away. */
const MOST_CAPTIONS = 4;
/** Pixels a side of the picture on the page where the model does not say. */
const USUAL_SIDE = 128;

/** The panel that takes a picture and shows its captions. */
export function startDescribe(
  model: Model,
  drawThis: (prompt: string) => void,
): { readonly describe: (image: RgbaImage) => void } {
  const zone = byId('dropzone');
  const input = byId<HTMLInputElement>('file');
  const seen = byId<HTMLCanvasElement>('seen');
  const captionButton = byId<HTMLButtonElement>('caption-button');
  const output = byId('captions');
  const count = createSegments(byId('caption-count'), [1, 4, 8, 16], 8);
  let picture: Blob | RgbaImage | null = null;
  let running: AbortController | null = null;

  const showButton = (): void => {
    const done = output.childElementCount > 0;
    captionButton.disabled = picture === null;
    captionButton.classList.toggle('stops', running !== null);
    say(captionButton, () => (running ? t().stop : done ? t().captionAgain : t().caption));
  };

  const take = async (source: Blob | RgbaImage): Promise<void> => {
    running?.abort();
    try {
      await show(source, seen, pictureSide(model));
      picture = source;
      seen.hidden = false;
      byId('dropzone-text').classList.add('visually-hidden');
      byId('seen-hint').hidden = false;
      await describe();
    } catch (error) {
      output.replaceChildren(errorBlock(error));
      showButton();
    }
  };

  const describe = async (): Promise<void> => {
    if (!picture) return;
    running?.abort();
    const controller = new AbortController();
    running = controller;
    const { signal } = controller;
    const view = new CaptionView(output);
    showButton();
    try {
      view.progress((strings) => strings.waitingForModel, null);
      const rudolph = await model.ready(signal);
      view.progress((strings) => strings.waitingForTurn, null);
      const task = rudolph.caption(picture, { count: count(), signal });
      for await (const event of task) {
        if (event.type === 'notice') view.notice(event.message);
        else if (event.type === 'drafts') view.drafts(event.texts);
        else if (event.type === 'progress') {
          const stage = event.stage === 'tokens' ? 'writing' : 'lookingAtPicture';
          view.progress((strings) => strings[stage], event.stage === 'tokens' ? event.done / event.total : null);
        } else if ('loadedBytes' in event) view.fetching(event as never);
      }
      const { texts, counts } = await task;
      view.finish(texts, counts, drawThis);
      announce(t().announceCaption(texts[0] ?? ''));
    } catch (error) {
      if (running !== controller) return; // another picture has taken the place
      view.end(error);
      model.noteFailure(error);
    } finally {
      if (running === controller) running = null;
      showButton();
    }
  };

  showButton();
  captionButton.addEventListener('click', () => {
    if (running) running.abort();
    else void describe();
  });
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    input.value = ''; // so that the same file can be chosen again
    if (file) void take(file);
  });
  acceptDrops(zone, (file) => void take(file));
  document.addEventListener('paste', (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'));
    if (!file) return;
    event.preventDefault();
    void take(file);
  });

  return {
    describe: (image) => {
      byId('describe').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
      void take(image);
    },
  };
}

/** Progress, drafts and results of one description. */
class CaptionView {
  readonly #output: HTMLElement;
  readonly #bar = createBar();
  readonly #stage = element('p', { className: 'caption-stage' });
  readonly #drafts = element('ul', { className: 'drafts', 'aria-hidden': 'true', lang: 'ru' });
  readonly #notes = element('div');

  constructor(output: HTMLElement) {
    this.#output = output;
    say(this.#bar, () => t().captionProgress, 'aria-label');
    output.replaceChildren(this.#notes, this.#bar, this.#stage, this.#drafts);
  }

  progress(stage: (strings: Strings) => string, part: number | null): void {
    say(this.#stage, () => stage(t()));
    setBar(this.#bar, part);
  }

  fetching({
    loadedBytes,
    totalBytes,
    fromCache,
  }: {
    loadedBytes: number;
    totalBytes: number;
    fromCache: boolean;
  }): void {
    this.progress(
      (strings) => strings.fetchingPart(bytesText(loadedBytes), bytesText(totalBytes), fromCache),
      loadedBytes / totalBytes,
    );
  }

  drafts(texts: readonly string[]): void {
    // Most drafts begin alike: each different one is shown once.
    const different = [...new Set(texts)].slice(0, 6);
    this.#drafts.replaceChildren(...different.map((text) => element('li', { textContent: `${text}…` })));
  }

  notice(message: string): void {
    this.#notes.append(say(element('p', { className: 'notice', role: 'status' }), () => noticeText(message)));
  }

  finish(texts: readonly string[], counts: readonly number[], drawThis: (prompt: string) => void): void {
    const total = counts.reduce((sum, part) => sum + part, 0);
    const items = texts.map((text, k) => {
      const times = counts[k]!;
      const share = element('div', { className: 'share', 'aria-hidden': 'true' });
      share.style.setProperty('--share', String(times / total));
      const howOften = element('span', { className: 'times' });
      say(howOften, () => t().captionTimes(times, total));
      say(howOften, () => t().captionTimesLabel(times, total), 'aria-label');
      howOften.setAttribute('role', 'img');
      const foot = element('div', { className: 'caption-foot' }, howOften);
      const prompt = text.replace(TEMPLATE, '');
      if (prompt !== '') {
        const draw = button('draw', () => t().drawThis);
        draw.addEventListener('click', () => drawThis(prompt));
        foot.append(draw);
      }
      return element('li', {}, element('p', { className: 'caption-text', lang: 'ru', textContent: text }), share, foot);
    });
    const list = (part: readonly HTMLElement[]): HTMLElement => element('ol', { className: 'caption-list' }, ...part);
    const more = items.slice(MOST_CAPTIONS);
    const summary = say(element('summary'), () => t().moreCaptions(more.length));
    this.#output.replaceChildren(this.#notes, list(items.slice(0, MOST_CAPTIONS)));
    if (more.length > 0) this.#output.append(element('details', { className: 'more' }, summary, list(more)));
  }

  end(error: unknown): void {
    if (isAbort(error)) {
      this.#bar.remove();
      say(this.#stage, () => t().stopped);
    } else this.#output.replaceChildren(this.#notes, errorBlock(error));
  }
}

/** Whole-page drops go to the zone; nothing dropped beside it may navigate away. */
function acceptDrops(zone: HTMLElement, take: (file: File) => void): void {
  let over = 0;
  const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  const leave = (): void => {
    over = 0;
    zone.classList.remove('dropping');
  };
  document.addEventListener('dragenter', (event) => {
    if (!holdsFiles(event)) return;
    over++;
    zone.classList.add('dropping');
  });
  document.addEventListener('dragleave', (event) => {
    if (holdsFiles(event) && --over <= 0) leave();
  });
  document.addEventListener('dragover', (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    leave();
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}

/** Draws the square in the middle, as large as the model reads it. @throws LocalError when the browser cannot decode the file. */
async function show(source: Blob | RgbaImage, canvas: HTMLCanvasElement, side: number): Promise<void> {
  const name = source instanceof File ? source.name : '';
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(
      source instanceof Blob ? source : new ImageData(source.data, source.width, source.height),
    );
  } catch {
    throw new LocalError((strings) => strings.unreadablePicture(name));
  }
  const square = Math.min(bitmap.width, bitmap.height);
  canvas.width = canvas.height = side;
  const context = canvas.getContext('2d');
  if (!context) throw new RudolphError('out-of-memory', 'the browser gave no canvas');
  context.fillStyle = '#fff'; // the model sees transparent pictures on white
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = 'high';
  context.drawImage(
    bitmap,
    (bitmap.width - square) >> 1,
    (bitmap.height - square) >> 1,
    square,
    square,
    0,
    0,
    side,
    side,
  );
  bitmap.close();
}

function pictureSide(model: Model): number {
  const { state } = model;
  return state.type === 'ready' ? state.rudolph.info.model.config.imageSide * 8 : USUAL_SIDE;
}
