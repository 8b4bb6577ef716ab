import type { ContinueTextResult } from '../../index';
import { fit, quietButton } from '../controls';
import { element } from '../dom';
import { BEGINNINGS } from '../examples';
import { LocalError } from '../explain';
import { Job, type Work } from '../job';
import { say, t } from '../language';
import type { Page } from '../page';
import { createExamples, createNote, fillPanel } from '../panel';
import { drawButton, figure, promptOf, textList } from '../results';
import { createAdvanced, createSegments, SamplingFields, TEXT_DEFAULTS } from '../settings';

/** Writes on from the beginning of a text. */
export function startContinue(page: Page): void {
  const { tabs } = page;
  const text = element('textarea', {
    id: 'continue-text',
    rows: 2,
    lang: 'ru',
    enterKeyHint: 'go',
    spellcheck: true,
    value: BEGINNINGS[0]!,
  });
  const put = (beginning: string): void => {
    text.value = beginning;
    fit(text);
    job.button.focus();
  };
  const examples = createExamples((example) => {
    job.clear(); // the texts had another beginning
    put(example);
  });
  examples.show(BEGINNINGS);
  const count = createSegments('continue-count', (strings) => strings.drafts, [[1], [4], [8], [16]], 4);
  const sampling = new SamplingFields('continue', TEXT_DEFAULTS);

  const prepare = (): Work<ContinueTextResult> => {
    const beginning = text.value.replace(/\s+/g, ' ').trim();
    if (beginning === '') {
      text.focus();
      throw new LocalError((strings) => strings.emptyStart);
    }
    const options = { ...sampling.read(), count: count.value };
    return {
      start: (rudolph, signal) => rudolph.continueText(beginning, { ...options, signal }),
      show: (result) => showTexts(beginning, result),
      tell: ({ texts }) => t().announceText(texts[0] ?? ''),
    };
  };
  const job = new Job(page, 'continue', { start: (strings) => strings.continueIt }, prepare);
  job.remember({ picture: () => null, title: ({ texts }) => texts[0] ?? '' });

  const showTexts = (beginning: string, { texts, counts, textPerplexities }: ContinueTextResult): Node[] => {
    const total = counts.reduce((sum, part) => sum + part, 0);
    return textList(
      texts.map((written, k) => {
        const prompt = promptOf(written);
        const more = quietButton(
          'continue',
          () => t().continueMore,
          () => put(written),
        );
        return {
          text: written,
          shown: marked(beginning, written),
          times: { count: counts[k]!, total },
          details: () => t().ppl(figure(textPerplexities[k]!)),
          actions: [more, ...(prompt === '' ? [] : [drawButton(prompt, page.drawText)])],
        };
      }),
    );
  };

  text.addEventListener('input', () => fit(text));
  job.startOnEnter(text);
  tabs.onOpen('continue', () => fit(text));
  const note = createNote(page, () => ({ untrained: 'continue', tokens: ['LT_T2T'], early: true }));
  const sheet = element(
    'div',
    { className: 'sheet' },
    say(element('label', { className: 'visually-hidden', htmlFor: text.id }), () => t().continueLabel),
    text,
    examples.root,
    element('div', { className: 'settings' }, count.root, job.button),
    createAdvanced(sampling.seed, ...sampling.fields),
  );
  fillPanel(
    tabs.panel('continue'),
    (strings) => strings.continueTitle,
    { form: [sheet], results: [job.output] },
    note.root,
  );
}

/** The whole text, with what the model wrote marked. */
function marked(beginning: string, written: string): Node {
  // Models read lower case; letters that they do not know may be missing.
  const given = beginning.toLowerCase();
  const known = written.startsWith(given) ? given.length : 0;
  const more = written.slice(known);
  const shown = element('span', {}, written.slice(0, known));
  if (more === '')
    shown.append(
      ' ',
      say(element('span', { className: 'nothing' }), () => t().nothingWritten),
    );
  else shown.append(element('mark', { textContent: more }));
  return shown;
}
