import type { ClassifyResult } from '../../index';
import { createChips } from '../chips';
import { copyButton } from '../controls';
import { element } from '../dom';
import { CLASSES } from '../examples';
import { LocalError } from '../explain';
import { Job, type Work } from '../job';
import { numberText, say, t } from '../language';
import type { Page } from '../page';
import { createNote, fillPanel } from '../panel';
import { figure } from '../results';
import { createAdvanced, createField, readTemplate } from '../settings';
import { createSlot } from '../slot';
import { followPicture } from './caption';

/** Which of several words fits the picture best. */
export function startClassify(page: Page): void {
  const { pictures, tabs } = page;
  const chips = createChips('class-input', CLASSES);
  page.links.add('classify', 'classes', {
    read: () => chips.values().join(','),
    write: (text) => chips.set(text.split(',')),
  });
  const template = createField('classify-template', (strings) => strings.classTemplate, {
    hint: (strings) => strings.classTemplateHint,
    placeholder: 'на картинке {}',
    lang: 'ru',
  });
  const leftTemplate = createField('classify-left', (strings) => strings.leftTemplate, { lang: 'ru' });

  const prepare = (): Work<ClassifyResult> => {
    const { current } = pictures;
    if (!current) throw new LocalError((strings) => strings.noPicture);
    const classes = chips.values();
    if (classes.length === 0) throw new LocalError((strings) => strings.noClasses);
    const phrase = readTemplate(template.input);
    const left = leftTemplate.input.value.trim();
    const options = {
      ...(phrase === undefined ? {} : { template: phrase }),
      ...(left === '' ? {} : { leftTemplate: left }),
    };
    return {
      start: (rudolph, signal) => rudolph.classify(pictures.sourceOf(current), classes, { ...options, signal }),
      show: (result) => showClasses(classes, result),
      tell: (result) => t().announceText(result.class),
    };
  };
  const job = new Job(page, 'classify', { start: (strings) => strings.classify }, prepare);
  job.remember({ picture: () => pictures.current, title: (result) => result.class });
  followPicture(page, job);
  const note = createNote(page, () => ({
    untrained: 'compare',
    tokens: ['LT_I2T', 'LT_CAP'],
    early: true,
    picture: true,
  }));
  const sheet = element(
    'div',
    { className: 'sheet' },
    say(element('p', { className: 'sheet-label' }), () => t().classes),
    chips.root,
    element('div', { className: 'settings' }, job.button),
    createAdvanced(template.root, leftTemplate.root),
  );
  fillPanel(
    tabs.panel('classify'),
    (strings) => strings.classifyTitle,
    { picture: createSlot(page, 'classify'), form: [sheet], results: [job.output] },
    note.root,
  );
}

/** The winner, then all classes with their probabilities as bars. */
function showClasses(
  classes: readonly string[],
  { probabilities, textPerplexities, ...result }: ClassifyResult,
): Node[] {
  const order = classes.map((_, k) => k).sort((a, b) => probabilities[b]! - probabilities[a]!);
  const winner = element(
    'div',
    { className: 'winner' },
    element('p', { className: 'text', lang: 'ru', textContent: result.class }),
    copyButton(result.class),
  );
  const bars = order.map((k) => {
    const bar = element('div', { className: 'share', 'aria-hidden': 'true' });
    bar.style.setProperty('--share', String(probabilities[k]));
    return element(
      'li',
      {},
      element('span', { className: 'bar-name', lang: 'ru', textContent: classes[k]! }),
      say(element('span', { className: 'bar-part' }), () => `${numberText(probabilities[k]! * 100, 1)}\u00a0%`),
      bar,
      say(element('span', { className: 'bar-details' }), () => t().ppl(figure(textPerplexities[k]!))),
    );
  });
  return [winner, element('ol', { className: 'bars' }, ...bars)];
}
