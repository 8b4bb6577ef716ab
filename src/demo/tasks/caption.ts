import type { CaptionResult } from '../../index';
import { quietButton } from '../controls';
import { element } from '../dom';
import { LocalError } from '../explain';
import { Job, type Work } from '../job';
import { t } from '../language';
import type { Page } from '../page';
import { createNote, fillPanel } from '../panel';
import type { PagePicture } from '../pictures';
import { drawButton, promptOf, rankingDetails, textList } from '../results';
import { createAdvanced, createField, createSegments, SamplingFields, TEXT_DEFAULTS } from '../settings';
import { createSlot } from '../slot';

/** Describes the picture in words. */
export function startCaption(page: Page): {
  readonly describe: (picture: PagePicture) => void;
  readonly run: () => void;
} {
  const { pictures, tabs } = page;
  const count = createSegments('caption-count', (strings) => strings.drafts, [[1], [4], [8], [16]], 8);
  const order = createSegments<'frequent' | 'fitting'>(
    'caption-order',
    (strings) => strings.order,
    [
      ['frequent', (strings) => strings.orderFrequent],
      ['fitting', (strings) => strings.orderFitting],
    ],
    'frequent',
  );
  const sampling = new SamplingFields('caption', TEXT_DEFAULTS);
  const template = createField('caption-template', (strings) => strings.captionStart, {
    hint: (strings) => strings.captionStartHint,
    placeholder: 'на картинке',
    lang: 'ru',
  });
  const instruction = createField('caption-instruction', (strings) => strings.instruction, {
    hint: (strings) => strings.instructionHint,
    lang: 'ru',
  });

  const prepare = (): Work<CaptionResult> => {
    const { current } = pictures;
    if (!current) throw new LocalError((strings) => strings.noPicture);
    const options = {
      ...sampling.read(),
      count: count.value,
      // Ranked, all of them: how often one was drafted counts there, too.
      ...(order.value === 'fitting' ? { keep: count.value } : {}),
      ...(template.input.value.trim() === '' ? {} : { template: template.input.value }),
      ...(instruction.input.value.trim() === '' ? {} : { instruction: instruction.input.value }),
    };
    return {
      start: (rudolph, signal) => rudolph.caption(pictures.sourceOf(current), { ...options, signal }),
      show: (result) => showCaptions(page, result),
      tell: ({ texts }) => t().announceText(texts[0] ?? ''),
    };
  };
  const job = new Job(
    page,
    'caption',
    { start: (strings) => strings.caption, again: (strings) => strings.again },
    prepare,
  );
  job.remember({ picture: () => pictures.current, title: ({ texts }) => texts[0] ?? '' });
  followPicture(page, job);

  const settings = element('div', { className: 'settings' }, count.root, order.root, job.button);
  const advanced = createAdvanced(sampling.seed, ...sampling.fields, template.root, instruction.root);
  const note = createNote(page, () => ({
    untrained: 'caption',
    tokens: ['LT_I2T', 'LT_CAP'],
    early: true,
    picture: true,
  }));
  fillPanel(
    tabs.panel('caption'),
    (strings) => strings.captionTitle,
    {
      picture: createSlot(page, 'caption', () => void job.run()),
      form: [element('div', { className: 'sheet' }, settings, advanced)],
      results: [job.output],
    },
    note.root,
  );
  return {
    run: () => void job.run(),
    describe: (picture) => {
      pictures.choose(picture);
      tabs.open('caption');
      job.runFromElsewhere();
    },
  };
}

/** Results stand beside the picture that they are about: when it goes, so do they. */
export function followPicture({ pictures }: Page, ...jobs: readonly { clear(): void }[]): void {
  let shown = pictures.current;
  pictures.watch(() => {
    if (pictures.current === shown) return;
    shown = pictures.current;
    for (const job of jobs) job.clear();
  });
}

function showCaptions(page: Page, { texts, counts, ranking }: CaptionResult): Node[] {
  const total = counts.reduce((sum, part) => sum + part, 0);
  const items = texts.map((text, k) => {
    const prompt = promptOf(text);
    return {
      text,
      times: { count: counts[k]!, total },
      ...(ranking ? { details: () => rankingDetails(ranking, k) } : {}),
      actions: prompt === '' ? [] : [drawButton(prompt, page.drawText)],
    };
  });
  const prompts = texts.map(promptOf).filter((text) => text !== '');
  const compare = quietButton(
    'rank',
    () => t().compareThese,
    () => page.compareTexts(prompts),
  );
  return [...textList(items), ...(texts.length > 1 && prompts.length > 0 ? [compare] : [])];
}
