import type { Ranking } from '../index';
import { copyButton, quietButton } from './controls';
import { element } from './dom';
import { numberText, say, t } from './language';

/** How upstream's captions begin; it is no part of what is to be drawn. */
const TEMPLATE = /^на картинке\s*/i;
/** Different texts shown at once; the rarer ones are folded away. */
const MOST_TEXTS = 4;

/** A text that a model wrote, or that was ranked. */
export interface TextItem {
  /** What is copied. */
  readonly text: string;
  /** What is shown, where it is more than the text. */
  readonly shown?: Node;
  /** How many of all drafts ended like this. */
  readonly times?: { readonly count: number; readonly total: number };
  /** Perplexities and scores, in small print. */
  readonly details?: () => string;
  readonly actions?: readonly HTMLElement[];
}

/** A list of texts, the best first. */
export function textList(items: readonly TextItem[], most = MOST_TEXTS): Node[] {
  const all = items.map(textItem);
  const list = (part: readonly HTMLElement[]): HTMLElement => element('ol', { className: 'text-list' }, ...part);
  const more = all.slice(most);
  if (more.length === 0) return [list(all)];
  const summary = say(element('summary'), () => t().moreTexts(more.length));
  return [list(all.slice(0, most)), element('details', { className: 'more' }, summary, list(more))];
}

function textItem({ text, shown, times, details, actions = [] }: TextItem): HTMLElement {
  const item = element('li', {}, element('p', { className: 'text', lang: 'ru' }, shown ?? spoken(text)));
  if (times) {
    const share = element('div', { className: 'share', 'aria-hidden': 'true' });
    share.style.setProperty('--share', String(times.count / times.total));
    item.append(share);
  }
  const facts = element('p', { className: 'text-facts' });
  if (times && times.total > 1) facts.append(howOften(times));
  if (details) facts.append(say(element('span'), details));
  const buttons = text === '' ? [] : [copyButton(text), ...actions];
  item.append(
    element('div', { className: 'text-foot' }, facts, element('div', { className: 'text-actions' }, ...buttons)),
  );
  return item;
}

/** The text, or that there is none. */
function spoken(text: string): Node {
  return text === ''
    ? say(element('span', { className: 'nothing' }), () => t().emptyText)
    : document.createTextNode(text);
}

function howOften({ count, total }: { readonly count: number; readonly total: number }): HTMLElement {
  const times = element('span', { className: 'times', role: 'img' });
  say(times, () => t().times(count, total));
  return say(times, () => t().timesLabel(count, total), 'aria-label');
}

/** What a text asks to be drawn: all behind the captions' template. */
export function promptOf(text: string): string {
  return text.replace(TEMPLATE, '');
}

/** A button that puts a text where pictures are drawn from. */
export function drawButton(prompt: string, draw: (prompt: string) => void): HTMLButtonElement {
  return quietButton(
    'draw',
    () => t().drawThis,
    () => draw(prompt),
  );
}

/** From here on a number is easier to read as a power of ten: one word that nobody would write, and a perplexity is astronomical. */
const LARGE = 1e6;

/** A perplexity or a score, short: they differ by orders of magnitude. */
export function figure(value: number): string {
  if (Math.abs(value) >= LARGE) {
    const power = Math.floor(Math.log10(Math.abs(value)));
    const raised = [...String(power)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('');
    return `${numberText(value / 10 ** power, 1)}·10${raised}`;
  }
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return numberText(value, digits);
}

/** Score and perplexities of one of what was ranked. */
export function rankingDetails({ scores, textPerplexities, imagePerplexities }: Ranking, k: number): string {
  const both = t().pplBoth(figure(textPerplexities[k]!), figure(imagePerplexities[k]!));
  return `${t().score(figure(scores[k]!))}; ${both}`;
}
