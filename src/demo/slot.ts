import { element } from './dom';
import { errorBlock } from './explain';
import { say, t } from './language';
import type { Page } from './page';
import { createPhotoNote } from './photograph';
import { copyOf, type PagePicture } from './pictures';
import type { TaskId } from './tabs';

/**
 * The place of a task's picture: the chosen one, which a click replaces by a file, and the others below.
 * @param chosen called when a picture was chosen here
 */
export function createSlot(page: Page, task: TaskId, chosen?: () => void): HTMLElement {
  const { pictures } = page;
  const seen = element('canvas', { className: 'seen', width: 1, height: 1, hidden: true });
  const text = element(
    'span',
    { className: 'dropzone-text' },
    say(element('span', { className: 'dropzone-call' }), () => t().choosePicture),
    say(element('span', { className: 'dropzone-more' }), () => t().dropHint),
  );
  const input = fileInput(`${task}-file`, async (files) => {
    if (await pictures.take(files[0]!)) chosen?.();
  });
  const hint = say(element('p', { className: 'hint' }), () => t().seenHint);
  pictures.watch(() => {
    const { current } = pictures;
    seen.hidden = hint.hidden = current === null;
    text.classList.toggle('visually-hidden', current !== null);
    if (!current) return;
    seen.width = current.canvas.width;
    seen.height = current.canvas.height;
    seen.getContext('2d')!.drawImage(current.canvas, 0, 0);
  });
  return element(
    'div',
    { className: 'slot' },
    element('label', { className: 'dropzone' }, input, seen, text),
    createErrors(page),
    hint,
    createPhotoNote(page),
    createShelf(page, (picture) => {
      pictures.choose(picture);
      chosen?.();
    }).root,
  );
}

/** A hidden file input; the same file can be chosen twice. Put it into a label. */
export function fileInput(
  id: string,
  chosen: (files: readonly File[]) => void | Promise<void>,
  multiple = false,
): HTMLInputElement {
  const input = element('input', { type: 'file', accept: 'image/*', id, multiple, className: 'visually-hidden' });
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    input.value = '';
    if (files.length > 0) void chosen(files);
  });
  return input;
}

/** Where an unreadable file is told of. */
export function createErrors({ pictures }: Page): HTMLElement {
  const place = element('div', { className: 'slot-error' });
  let shown: unknown = null;
  pictures.watch(() => {
    if (pictures.error === shown) return;
    shown = pictures.error;
    place.replaceChildren(...(shown === null ? [] : [errorBlock(shown)]));
  });
  return place;
}

/**
 * Small pictures to choose from: what was drawn or opened, then the examples.
 * @param listed where a press adds to a list instead of choosing the one picture of all tasks: what is in it, and not offered again
 * @returns `show`: call it when the list has changed
 */
export function createShelf(
  { pictures }: Page,
  take: (picture: PagePicture) => void = (picture) => pictures.choose(picture),
  listed?: () => readonly PagePicture[],
): { readonly root: HTMLElement; readonly show: () => void } {
  const list = element('ul', { className: 'shelf' });
  say(list, () => t().shelf, 'aria-label');
  const made = new Map<PagePicture, HTMLLIElement>();
  const show = (): void => {
    const { current } = pictures;
    const taken = listed?.() ?? [];
    const all = pictures.all.filter((picture) => !taken.includes(picture));
    for (const old of made.keys()) if (!all.includes(old)) made.delete(old);
    const items = all.map((picture) => {
      const known = made.get(picture);
      if (known) return known;
      const thumb = element('button', { type: 'button', className: 'thumb' }, copyOf(picture));
      const name = (): string => picture.name || t().chosenPicture;
      say(thumb, () => (listed ? t().addPicture(name()) : t().takePicture(name())), 'aria-label');
      thumb.title = picture.name;
      thumb.addEventListener('click', () => take(picture));
      const item = element('li', {}, thumb);
      made.set(picture, item);
      return item;
    });
    // Not moved when nothing changed: the focus would be lost.
    if (items.length !== list.children.length || items.some((item, k) => list.children[k] !== item))
      list.replaceChildren(...items);
    list.hidden = items.length === 0;
    if (listed) return;
    for (const [picture, item] of made) {
      item.classList.toggle('chosen', picture === current);
      item.firstElementChild!.setAttribute('aria-pressed', String(picture === current));
    }
  };
  pictures.watch(show);
  return { root: list, show };
}

/**
 * Whole-page drops and pasted pictures; nothing dropped anywhere may navigate away.
 * @param other gets a drop first; true: it was none of pictures, and has been taken
 */
export function acceptPictures(
  take: (files: readonly File[]) => void | Promise<void>,
  other: (drop: DataTransfer) => boolean,
): void {
  let over = 0;
  const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  const leave = (): void => {
    over = 0;
    document.body.classList.remove('dropping');
  };
  document.addEventListener('dragenter', (event) => {
    if (!holdsFiles(event)) return;
    over++;
    document.body.classList.add('dropping');
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
    if (event.dataTransfer && other(event.dataTransfer)) return;
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) void take(files);
  });
  document.addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
    if (files.length === 0) return;
    event.preventDefault();
    void take(files);
  });
}
