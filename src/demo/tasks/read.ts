import type { TextResult } from '../../index';
import { element } from '../dom';
import { LocalError } from '../explain';
import { Job, type Work } from '../job';
import { t } from '../language';
import type { Page } from '../page';
import { createNote, fillPanel } from '../panel';
import { ANSWER_DEFAULTS, createAdvanced, createSegments, SamplingFields } from '../settings';
import { createSlot } from '../slot';
import { showAnswers } from './answer';
import { followPicture } from './caption';

/** Reads what is written in the picture. */
export function startRead(page: Page): void {
  const { pictures, tabs } = page;
  const count = createSegments('read-count', (strings) => strings.drafts, [[1], [4], [8]], 4);
  const sampling = new SamplingFields('read', ANSWER_DEFAULTS);
  const prepare = (): Work<TextResult> => {
    const { current } = pictures;
    if (!current) throw new LocalError((strings) => strings.noPicture);
    const options = { ...sampling.read(), count: count.value };
    return {
      start: (rudolph, signal) => rudolph.readText(pictures.sourceOf(current), { ...options, signal }),
      show: showAnswers,
      tell: ({ texts }) => t().announceText(texts[0] ?? ''),
    };
  };
  const job = new Job(page, 'read', { start: (strings) => strings.read, again: (strings) => strings.again }, prepare);
  job.remember({ picture: () => pictures.current, title: ({ texts }) => texts[0] ?? '' });
  followPicture(page, job);
  const note = createNote(page, () => ({ untrained: 'read', tokens: ['LT_REC'], picture: true }));
  const sheet = element(
    'div',
    { className: 'sheet' },
    element('div', { className: 'settings' }, count.root, job.button),
    createAdvanced(sampling.seed, ...sampling.fields),
  );
  fillPanel(
    tabs.panel('read'),
    (strings) => strings.readTitle,
    { picture: createSlot(page, 'read'), form: [sheet], results: [job.output] },
    note.root,
  );
}
