import type { AnswerOptions, TextResult } from '../../index';
import { fit } from '../controls';
import { element } from '../dom';
import { QUESTIONS } from '../examples';
import { LocalError } from '../explain';
import { Job, type Work } from '../job';
import { say, t } from '../language';
import type { Page } from '../page';
import { createExamples, createNote, fillPanel } from '../panel';
import { textList } from '../results';
import { ANSWER_DEFAULTS, createAdvanced, createSegments, SamplingFields } from '../settings';
import { createSlot } from '../slot';
import { followPicture } from './caption';

type Kind = NonNullable<AnswerOptions['kind']>;
const TOKENS: Readonly<Record<Kind, string>> = { visual: 'LT_VQA', text: 'LT_TQA', maths: 'LT_MQA' };

/** Questions about the picture, about a text, and sums. */
export function startAnswer(page: Page): {
  /** Asks about the picture: one is on its way. */
  readonly expectPicture: () => void;
} {
  const { pictures, tabs } = page;
  const question = element('textarea', {
    id: 'answer-question',
    rows: 2,
    lang: 'ru',
    enterKeyHint: 'go',
    spellcheck: true,
    value: QUESTIONS.visual[0],
  });
  const slot = createSlot(page, 'answer');
  const examples = createExamples((example) => {
    question.value = example;
    fit(question);
    job.clear(); // the answers were to another question
    job.button.focus();
  });
  const showKind = (chosen: Kind): void => {
    slot.hidden = chosen !== 'visual';
    // A question of one's own stays.
    if (Object.values(QUESTIONS).some((list) => (list as readonly string[]).includes(question.value)))
      question.value = QUESTIONS[chosen][0];
    examples.show(QUESTIONS[chosen]);
    fit(question);
    job.clear();
    note.show();
  };
  const kind = createSegments<Kind>(
    'answer-kind',
    (strings) => strings.kind,
    [
      ['visual', (strings) => strings.kindVisual],
      ['text', (strings) => strings.kindText],
      ['maths', (strings) => strings.kindMaths],
    ],
    'visual',
    showKind,
  );
  const count = createSegments('answer-count', (strings) => strings.drafts, [[1], [4], [8]], 4);
  const sampling = new SamplingFields('answer', ANSWER_DEFAULTS);

  const prepare = (): Work<TextResult> => {
    const text = question.value.trim();
    if (text === '') {
      question.focus();
      throw new LocalError((strings) => strings.emptyQuestion);
    }
    const visual = kind.value === 'visual';
    const { current } = pictures;
    if (visual && !current) throw new LocalError((strings) => strings.noPicture);
    const options = { ...sampling.read(), count: count.value, kind: kind.value };
    return {
      start: (rudolph, signal) =>
        rudolph.answer(text, visual ? pictures.sourceOf(current!) : null, { ...options, signal }),
      show: showAnswers,
      tell: ({ texts }) => t().announceText(texts[0] ?? ''),
    };
  };
  const job = new Job(page, 'answer', { start: (strings) => strings.answer }, prepare);
  job.remember({
    picture: () => (kind.value === 'visual' ? pictures.current : null),
    title: ({ texts }, fields) => `${fields['question'] ?? ''} ${texts[0] ?? ''}`.trim(),
  });
  question.addEventListener('input', () => fit(question));
  job.startOnEnter(question);
  followPicture(page, { clear: () => kind.value === 'visual' && job.clear() });
  tabs.onOpen('answer', () => fit(question));

  const note = createNote(page, () => ({
    untrained: 'answer',
    tokens: [TOKENS[kind.value]],
    picture: kind.value === 'visual',
  }));
  const sheet = element(
    'div',
    { className: 'sheet' },
    say(element('label', { className: 'visually-hidden', htmlFor: question.id }), () => t().question),
    question,
    examples.root,
    element('div', { className: 'settings' }, kind.root, count.root, job.button),
    createAdvanced(sampling.seed, ...sampling.fields),
  );
  fillPanel(
    tabs.panel('answer'),
    (strings) => strings.answerTitle,
    { picture: slot, form: [sheet], results: [job.output] },
    note.root,
  );
  showKind('visual');
  return {
    expectPicture: () => {
      if (kind.value !== 'visual') kind.choose('visual');
    },
  };
}

/** What was answered, the most frequent first. */
export function showAnswers({ texts, counts }: TextResult): Node[] {
  const total = counts.reduce((sum, part) => sum + part, 0);
  return textList(texts.map((text, k) => ({ text, times: { count: counts[k]!, total } })));
}
