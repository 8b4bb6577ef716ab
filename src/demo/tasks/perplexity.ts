import type { PerplexityResult } from '../../index';
import { copyButton, fit } from '../controls';
import { element } from '../dom';
import { SENTENCES } from '../examples';
import { LocalError } from '../explain';
import { Job, type Work } from '../job';
import { say, t } from '../language';
import type { Page } from '../page';
import { createExamples, createNote, fillPanel } from '../panel';
import type { PagePicture } from '../pictures';
import { figure } from '../results';
import { createSegments } from '../settings';
import { createSlot } from '../slot';
import type { Strings } from '../strings';
import { followPicture } from './caption';

type Mode = 'picture' | 'text';

/** A perplexity at which a part's bar is full. */
const FULL = 1e6;

/** How surprising a text is to the model, or a picture with texts around it, part by part. */
export function startPerplexity(page: Page): {
  /** Measures the picture: one is on its way. */
  readonly expectPicture: () => void;
} {
  const { pictures, tabs } = page;
  const left = createText('perplexity-left', (strings) =>
    mode.value === 'picture' ? strings.partLeft : strings.partText,
  );
  const right = createText('perplexity-right', (strings) => strings.partRight);
  const fitAll = (): void => {
    for (const { field } of [left, right]) fit(field);
  };
  const slot = createSlot(page, 'perplexity');
  const examples = createExamples((example) => {
    left.field.value = example;
    fit(left.field);
    job.clear(); // the figures were another text's
    job.button.focus();
  });
  examples.show(SENTENCES);
  const showMode = (chosen: Mode): void => {
    const withPicture = chosen === 'picture';
    slot.hidden = right.root.hidden = !withPicture;
    examples.root.hidden = withPicture;
    // A text of one's own stays.
    if (withPicture && SENTENCES.includes(left.field.value)) left.field.value = '';
    if (!withPicture && left.field.value === '') left.field.value = SENTENCES[0]!;
    for (const { showLabel } of [left, right]) showLabel();
    fitAll();
    job.clear();
    note.show();
  };
  const mode = createSegments<Mode>(
    'perplexity-mode',
    (strings) => strings.perplexityWhat,
    [
      ['picture', (strings) => strings.perplexityPicture],
      ['text', (strings) => strings.perplexityText],
    ],
    'picture',
    showMode,
  );
  /** What is looked at. */
  const chosen = (): PagePicture | null => (mode.value === 'picture' ? pictures.current : null);

  const prepare = (): Work<PerplexityResult> => {
    const picture = chosen();
    const texts = { left: left.read(), right: mode.value === 'picture' ? right.read() : '' };
    if (mode.value === 'picture' && !picture) throw new LocalError((strings) => strings.noPicture);
    if (!picture && texts.left === '') {
      left.field.focus();
      throw new LocalError((strings) => strings.noTexts);
    }
    return {
      start: (rudolph, signal) =>
        rudolph.perplexity(
          {
            ...(texts.left === '' ? {} : { left: texts.left }),
            ...(picture ? { image: pictures.sourceOf(picture) } : {}),
            ...(texts.right === '' ? {} : { right: texts.right }),
          },
          { signal },
        ),
      show: (result) => showParts(partsOf(texts, picture, result)),
      tell: (result) => t().announceText(told(partsOf(texts, picture, result)).join('; ')),
    };
  };
  const job = new Job(page, 'perplexity', { start: (strings) => strings.measure }, prepare);
  job.remember({
    picture: chosen,
    title: (_, fields) =>
      [fields['left'], mode.value === 'picture' ? fields['right'] : ''].filter(Boolean).join(' … ') ||
      (chosen()?.name ?? ''),
  });
  for (const { field } of [left, right]) {
    field.addEventListener('input', () => fit(field));
    job.startOnEnter(field);
  }
  followPicture(page, { clear: () => mode.value === 'picture' && job.clear() });
  // What the picture shows, as captions say it, until somebody writes something else.
  let given = '';
  pictures.watch(() => {
    if (right.field.value !== given) return;
    const { current } = pictures;
    given = current?.described ? `на картинке ${current.name}` : '';
    right.field.value = given;
    fit(right.field);
  });
  tabs.onOpen('perplexity', fitAll);

  const note = createNote(page, () => ({
    untrained: 'perplexity',
    tokens: mode.value === 'picture' ? ['LT_T2I', 'LT_I2T'] : ['LT_T2T'],
    early: true,
    picture: mode.value === 'picture',
  }));
  const sheet = element(
    'div',
    { className: 'sheet' },
    element('div', { className: 'sheet-head' }, mode.root),
    left.root,
    examples.root,
    right.root,
    element('div', { className: 'settings' }, job.button),
  );
  fillPanel(
    tabs.panel('perplexity'),
    (strings) => strings.perplexityTitle,
    { picture: slot, form: [sheet], results: [job.output] },
    note.root,
  );
  showMode('picture');
  return {
    expectPicture: () => {
      if (mode.value !== 'picture') mode.choose('picture');
    },
  };
}

/** A text's field with its label. */
function createText(id: string, label: (strings: Strings) => string) {
  const field = element('textarea', { id, rows: 1, lang: 'ru', enterKeyHint: 'go', spellcheck: true });
  const caption = element('label', { className: 'sheet-label', htmlFor: id });
  return {
    root: element('div', { className: 'part' }, caption, field),
    field,
    showLabel: () => void say(caption, () => label(t())),
    read: () => field.value.replace(/\s+/g, ' ').trim(),
  };
}

/** Of a sequence: its name, what it is, and how surprising. */
interface Part {
  readonly name: (strings: Strings) => string;
  readonly shows: string;
  readonly perplexity: number;
}

/** The parts that were given, in their order. */
function partsOf(
  texts: { readonly left: string; readonly right: string },
  picture: PagePicture | null,
  { left, image, right }: PerplexityResult,
): Part[] {
  const all: readonly (readonly [name: Part['name'], shows: string, perplexity: number | null])[] = [
    [(strings) => (picture ? strings.partLeft : strings.partText), texts.left, left],
    [(strings) => strings.partImage, picture?.name ?? '', image],
    [(strings) => strings.partRight, texts.right, right],
  ];
  return all.flatMap(([name, shows, perplexity]) => (perplexity === null ? [] : [{ name, shows, perplexity }]));
}

/** A line a part. */
function told(parts: readonly Part[]): string[] {
  return parts.map(
    ({ shows, perplexity }) => `${shows === '' ? t().chosenPicture : shows}: ${t().ppl(figure(perplexity))}`,
  );
}

/** Every part with its perplexity as a bar, by orders of magnitude. */
function showParts(parts: readonly Part[]): Node[] {
  const bars = parts.map(({ name, shows, perplexity }) => {
    const bar = element('div', { className: 'share', 'aria-hidden': 'true' });
    bar.style.setProperty('--share', String(Math.min(1, Math.log(perplexity) / Math.log(FULL))));
    return element(
      'li',
      {},
      say(element('span', { className: 'bar-name' }), () => name(t())),
      say(element('span', { className: 'bar-part' }), () => figure(perplexity)),
      bar,
      element('span', { className: 'bar-details', lang: 'ru', textContent: shows }),
    );
  });
  const copy = copyButton(told(parts).join('\n'));
  return [
    element('ol', { className: 'bars' }, ...bars),
    say(element('p', { className: 'hint' }), () => t().perplexityHint),
    copy,
  ];
}
