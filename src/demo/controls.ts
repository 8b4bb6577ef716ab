import { toBlob, type RgbaImage } from '../index';
import { announce, element } from './dom';
import { icon, type IconName } from './icons';
import { say, t } from './language';

/** A quiet button with an icon and a word. */
export function quietButton(mark: IconName, label: () => string, pressed?: () => void): HTMLButtonElement {
  const button = element('button', { type: 'button', className: 'quiet' }, icon(mark), say(element('span'), label));
  if (pressed) button.addEventListener('click', pressed);
  return button;
}

/** A button with an icon alone; the label is for screen readers and for who points at it. */
export function iconButton(mark: IconName, label: () => string, pressed: () => void): HTMLButtonElement {
  const button = element('button', { type: 'button', className: 'icon' }, icon(mark));
  say(button, label, 'aria-label');
  say(button, label, 'title');
  button.addEventListener('click', pressed);
  return button;
}

/** Copies a text, and says so for a moment. */
export function copyButton(text: string): HTMLButtonElement {
  const label = element('span');
  const button = element(
    'button',
    { type: 'button', className: 'quiet' },
    icon('copy'),
    say(label, () => t().copy),
  );
  let back: ReturnType<typeof setTimeout> | undefined;
  const tell = (what: 'copied' | 'copyFailed'): void => {
    say(label, () => t()[what]);
    announce(t()[what]);
    clearTimeout(back);
    back = setTimeout(() => say(label, () => t().copy), 2000);
  };
  button.addEventListener('click', () => {
    // Not there where the page is not secure.
    const written = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard'));
    written.then(
      () => tell('copied'),
      () => tell('copyFailed'),
    );
  });
  return button;
}

/** Saves a picture as PNG. */
export async function savePicture(image: RgbaImage, name: string): Promise<void> {
  const url = URL.createObjectURL(await toBlob(image));
  element('a', { href: url, download: `${name}.png` }).click();
  // The download has its own hold of the data by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Grows a field with its text. */
export function fit(field: HTMLTextAreaElement): void {
  field.style.height = 'auto';
  if (field.scrollHeight > 0) field.style.height = `${field.scrollHeight}px`;
}
