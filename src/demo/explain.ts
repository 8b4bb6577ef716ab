import { type Notice, RudolphError } from '../index';
import { copyButton } from './controls';
import { element } from './dom';
import { bytesText, say, t } from './language';
import type { Strings } from './strings';

/** Whether something ended because somebody stopped it. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** What a person should read about an error, in the page's language; the library's own sentence is `detailOf`. */
export function headlineOf(error: unknown): string {
  const strings = t();
  if (error instanceof LocalError) return error.sentence(strings);
  if (!(error instanceof RudolphError)) return strings.unknownError;
  const { code, message } = error;
  if (code === 'bad-model' || code === 'download') {
    if (/format version/i.test(message)) return strings.newerModel;
    if (/html page/i.test(message)) return strings.pageInsteadOfFile;
    if (/SHA-256|damaged/i.test(message)) return strings.damagedShard;
    if (error.details['status'] === 404 || /not on the host|\b404\b/.test(message)) return strings.missingFile;
    if (/could not be fetched|did not answer/i.test(message)) return strings.offline;
  }
  return strings.errors[code];
}

/** The precise sentence of the library (English), for whoever has to mend it. */
export function detailOf(error: unknown): string {
  if (error instanceof LocalError) return '';
  return error instanceof Error ? error.message : String(error);
}

/** A mistake that the page itself notices and can name in both languages. */
export class LocalError extends Error {
  override readonly name = 'LocalError';
  readonly sentence: (strings: Strings) => string;

  constructor(sentence: (strings: Strings) => string) {
    super(sentence(t()));
    this.sentence = sentence;
  }
}

/** An error as a block: the headline, help where there is some, the details folded away, and a report to copy where the library made one. */
export function errorBlock(error: unknown): HTMLElement {
  const block = element('div', { className: 'error-block', role: 'alert' });
  block.append(say(element('p', { className: 'error-headline' }), () => headlineOf(error)));
  if (error instanceof RudolphError && error.code === 'no-webgpu')
    block.append(say(element('p'), () => t().webgpuHelp));
  const detail = detailOf(error);
  if (detail) {
    const text = element('p', { className: 'error-detail', lang: 'en', textContent: detail });
    block.append(
      element(
        'details',
        {},
        say(element('summary'), () => t().details),
        text,
      ),
    );
  }
  const report = error instanceof RudolphError && error.details['report'];
  if (typeof report === 'string')
    block.append(
      say(element('p'), () => t().reportHelp),
      copyButton(report, 'copy', () => t().copyReport),
    );
  return block;
}

/** Adds a notice to those of a task; what the page says already is left out, and of many texts cut short one line tells. */
export function addNotice(notes: HTMLElement, notice: Notice): void {
  const { code, details } = notice;
  // The panel has a line of its own about it.
  if (code === 'untrained') return;
  const cut = code === 'text-cut';
  const before = cut && notes.querySelector('.notice-cut');
  if (before) {
    say(before, () => t().textsCut(Number(details['used'])));
    return;
  }
  const line = element('p', { className: cut ? 'notice notice-cut' : 'notice', role: 'status' });
  notes.append(say(line, () => noticeText(notice)));
}

/** A notice in the page's language; one that the page does not know in the library's own words (English). */
export function noticeText({ code, message, details }: Notice): string {
  const strings = t();
  const number = (name: string): number => Number(details[name]);
  switch (code) {
    case 'text-cut':
      return strings.promptCut(number('used'), number('total'));
    case 'storage-off':
      return strings.storageOff;
    case 'storage-full':
      return 'neededBytes' in details
        ? strings.storageShort(bytesText(number('neededBytes')), bytesText(number('freeBytes')))
        : strings.storageFull;
    case 'storage-failed':
      return strings.storageFailed;
    case 'storage-evicted':
      return strings.storageEvicted(bytesText(number('evictedBytes')));
    case 'storage-removed':
      return strings.storageRemoved;
    case 'older-version':
      return strings.olderVersion;
    case 'shard-damaged':
      return strings.storedDamaged;
    case 'no-preview':
      return strings.noPreview;
    case 'device-restored':
      return strings.deviceRestored;
    case 'converted':
      return strings.converted(message.replace(/\.$/, ''));
    default:
      return message;
  }
}
