import { html, type TemplateResult } from 'lit';
import type { LoadProgress } from '../index';
import type { WidgetProgress } from './api';
import type { Strings } from './strings';

/** A load's progress as a widget tells it. */
export function ofLoad({ stage, loadedBytes, totalBytes }: LoadProgress): WidgetProgress {
  // How long compiling takes nobody knows; the other stages tell bytes.
  if (stage === 'manifest' || stage === 'compile') return { stage, done: 0, total: 0 };
  return { stage, done: loadedBytes, total: totalBytes };
}

/** How far a run has come: its stage, how much of it, a bar. */
export function progressBar(
  { stage, done, total }: WidgetProgress,
  strings: Strings,
  language: string,
): TemplateResult {
  const part = total > 0 ? Math.min(1, done / total) : null;
  const mebibytes = (bytes: number): string =>
    new Intl.NumberFormat(language, { style: 'unit', unit: 'megabyte', maximumFractionDigits: 1 }).format(bytes / 1e6);
  const amount =
    part === null
      ? ''
      : stage === 'download' || stage === 'copy' || stage === 'convert'
        ? strings.ofBytes(mebibytes(done), mebibytes(total))
        : new Intl.NumberFormat(language, { style: 'percent' }).format(part);
  return html`<div part="progress">
    <p class="stage" aria-hidden="true"><span>${strings.stages[stage]}</span><span>${amount}</span></p>
    ${
      part === null
        ? html`<progress aria-label=${strings.progress}></progress>`
        : html`<progress aria-label=${strings.progress} max="1" .value=${part}></progress>`
    }
  </div>`;
}
