import type { RankResult } from '../../index';
import { fit, quietButton } from '../controls';
import { element } from '../dom';
import { LocalError } from '../explain';
import { icon } from '../icons';
import { Job, type Work } from '../job';
import { say, t } from '../language';
import type { Page } from '../page';
import { createNote, fillPanel } from '../panel';
import { copyOf, type PagePicture } from '../pictures';
import { drawButton, rankingDetails, textList } from '../results';
import { createSegments } from '../settings';
import { createErrors, createShelf, createSlot, fileInput } from '../slot';
import { followPicture } from './caption';

type Mode = 'texts' | 'images';

/** Several texts compared with a picture, or several pictures with a text. */
export function startRank(page: Page): {
  readonly compare: (texts: readonly string[]) => void;
  /** Compares texts with the picture: one is on its way. */
  readonly expectPicture: () => void;
  /** Takes files that were dropped or pasted. */
  readonly take: (files: readonly File[]) => Promise<void>;
} {
  const texts = rankTexts(page);
  const images = rankImages(page);
  const show = (mode: Mode): void => {
    for (const part of texts.parts) part.hidden = mode !== 'texts';
    for (const part of images.parts) part.hidden = mode !== 'images';
    if (mode === 'texts') texts.fit();
  };
  const mode = createSegments<Mode>(
    'rank-mode',
    (strings) => strings.rankWhat,
    [
      ['texts', (strings) => strings.rankTexts],
      ['images', (strings) => strings.rankImages],
    ],
    'texts',
    show,
  );
  const note = createNote(page, () => ({
    untrained: 'compare',
    tokens: ['LT_T2I', 'LT_I2T'],
    early: true,
    picture: true,
  }));
  const picture = element('div', { className: 'rank-pictures' }, texts.parts[0], images.parts[0]);
  fillPanel(
    page.tabs.panel('rank'),
    (strings) => strings.rankTitle,
    {
      picture,
      form: [
        element(
          'div',
          { className: 'sheet' },
          element('div', { className: 'sheet-head' }, mode.root),
          texts.parts[1],
          images.parts[1],
        ),
      ],
      results: [texts.parts[2], images.parts[2]],
    },
    note.root,
  );
  show('texts');
  page.tabs.onOpen('rank', () => texts.fit());
  return {
    compare: (several) => {
      mode.choose('texts');
      page.tabs.open('rank');
      texts.compare(several);
    },
    expectPicture: () => mode.choose('texts'),
    take: async (files) => {
      if (mode.value === 'texts') await page.pictures.take(files[0]!);
      else await images.take(files);
    },
  };
}

/** Of a mode: where its pictures, its form and its results are. */
type Parts = readonly [picture: HTMLElement, form: HTMLElement, results: HTMLElement];

function rankTexts(page: Page): {
  readonly parts: Parts;
  readonly fit: () => void;
  readonly compare: (texts: readonly string[]) => void;
} {
  const { pictures } = page;
  const lines = element('textarea', { id: 'rank-lines', rows: 4, lang: 'ru', spellcheck: true });
  const prepare = (): Work<RankResult> => {
    const { current } = pictures;
    if (!current) throw new LocalError((strings) => strings.noPicture);
    const texts = [...new Set(lines.value.split('\n').map((line) => line.trim()))].filter((line) => line !== '');
    if (texts.length === 0) {
      lines.focus();
      throw new LocalError((strings) => strings.noTexts);
    }
    return {
      start: (rudolph, signal) => rudolph.rankTexts(pictures.sourceOf(current), texts, { signal }),
      show: (result) =>
        textList(
          result.order.map((k) => ({
            text: texts[k]!,
            details: () => rankingDetails(result, k),
            actions: [drawButton(texts[k]!, page.drawText)],
          })),
          Infinity,
        ),
      tell: ({ order }) => t().announceText(texts[order[0]!]!),
    };
  };
  const job = new Job(page, 'rank', { start: (strings) => strings.rank }, prepare);
  job.output.classList.add('ranked');
  job.remember({
    picture: () => pictures.current,
    title: ({ order }, fields) => fields['lines']?.split('\n')[order[0]!]?.trim() ?? '',
  });
  followPicture(page, job);
  lines.addEventListener('input', () => fit(lines));
  // What the examples show, to begin with.
  let given = '';
  pictures.watch(() => {
    if (lines.value !== given) return;
    given = pictures.examples.map(({ name }) => name).join('\n');
    lines.value = given;
    fit(lines);
  });
  const form = element(
    'div',
    { className: 'rank-form' },
    say(element('label', { className: 'sheet-label', htmlFor: lines.id }), () => t().rankTextsLabel),
    lines,
    element('div', { className: 'settings' }, job.button),
  );
  return {
    parts: [createSlot(page, 'rank'), form, job.output],
    fit: () => fit(lines),
    compare: (texts) => {
      lines.value = texts.join('\n');
      fit(lines);
      job.runFromElsewhere();
    },
  };
}

function rankImages(page: Page): {
  readonly parts: Parts;
  readonly take: (files: readonly File[]) => Promise<void>;
} {
  const { pictures } = page;
  let chosen: readonly PagePicture[] = [];
  /** Whether the list is still the one that it began with. */
  let untouched = true;
  const tiles = element('ul', { className: 'tiles' });
  say(tiles, () => t().rankPictures, 'aria-label');
  const text = element('input', { type: 'text', id: 'rank-text', lang: 'ru', autocomplete: 'off' });
  const set = (next: readonly PagePicture[]): void => {
    if (next.length === chosen.length && next.every((picture, k) => picture === chosen[k])) return;
    chosen = next;
    job.clear();
    tiles.replaceChildren(...chosen.map(tileOf), addTile);
    shelf.show();
  };
  const change = (next: readonly PagePicture[]): void => {
    untouched = false;
    set(next);
  };
  const take = async (files: readonly File[]): Promise<void> => {
    const read = await pictures.readAll(files);
    if (read.length > 0) change([...chosen, ...read]);
  };
  const shelf = createShelf(
    page,
    (picture) => {
      change([...chosen, picture]);
      // Its own button is gone.
      (shelf.root.querySelector<HTMLElement>('button') ?? addTile.querySelector('input')!).focus({
        preventScroll: true,
      });
    },
    () => chosen,
  );
  const addTile = element(
    'li',
    {},
    element(
      'label',
      { className: 'tile-add' },
      fileInput('rank-files', (files) => void take(files), true),
      icon('plus'),
      say(element('span'), () => t().addPictures),
    ),
  );
  const tileOf = (picture: PagePicture): HTMLElement => {
    const remove = element('button', { type: 'button', className: 'icon tile-remove' }, icon('close'));
    say(remove, () => t().removePicture(picture.name || t().chosenPicture), 'aria-label');
    remove.addEventListener('click', () => {
      const at = chosen.indexOf(picture);
      change(chosen.filter((other) => other !== picture));
      // The next one's button; not the text, which would bring up a phone's keyboard.
      tiles.children[at]!.querySelector<HTMLElement>('button, input')!.focus({ preventScroll: true });
    });
    return element('li', { className: 'tile' }, copyOf(picture), remove);
  };

  const prepare = (): Work<RankResult> => {
    const words = text.value.trim();
    if (words === '') {
      text.focus();
      throw new LocalError((strings) => strings.noTexts);
    }
    if (chosen.length === 0) throw new LocalError((strings) => strings.noPictures);
    const ranked = chosen;
    return {
      start: (rudolph, signal) =>
        rudolph.rankImages(
          words,
          ranked.map((picture) => pictures.sourceOf(picture)),
          { signal },
        ),
      show: (result) => [
        element(
          'ol',
          { className: 'ranked-pictures' },
          ...result.order.map((k, place) =>
            rankedPicture(page, ranked[k]!, place + 1, () => rankingDetails(result, k)),
          ),
        ),
      ],
      tell: ({ order }) => t().announceText(ranked[order[0]!]!.name || t().chosenPicture),
    };
  };
  const job = new Job(page, 'rank', { start: (strings) => strings.rank }, prepare);
  job.output.id = 'rank-images-output';
  job.button.id = 'rank-images-button';
  job.startOnEnter(text);
  pictures.watch(() => {
    if (!untouched) return;
    set(pictures.examples);
    if (text.value === '') text.value = pictures.examples[0]?.name ?? '';
  });
  tiles.append(addTile);

  const form = element(
    'div',
    { className: 'rank-form' },
    element(
      'div',
      { className: 'field' },
      say(element('label', { htmlFor: text.id }), () => t().rankTextLabel),
      text,
    ),
    element('div', { className: 'settings' }, job.button),
  );
  return {
    parts: [element('div', { className: 'slot' }, tiles, createErrors(page), shelf.root), form, job.output],
    take,
  };
}

function rankedPicture(page: Page, picture: PagePicture, place: number, details: () => string): HTMLElement {
  const canvas = copyOf(picture);
  canvas.setAttribute('role', 'img');
  say(canvas, () => picture.name || t().chosenPicture, 'aria-label');
  return element(
    'li',
    { className: 'card' },
    element('div', { className: 'frame' }, canvas),
    element(
      'div',
      { className: 'card-foot' },
      say(element('p', { className: 'place' }), () => t().place(place)),
      say(element('p', { className: 'card-details' }), details),
      quietButton(
        'caption',
        () => t().describe,
        () => page.describe(picture),
      ),
    ),
  );
}
