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
export function copyButton(
  text: string,
  mark: IconName = 'copy',
  name: () => string = () => t().copy,
): HTMLButtonElement {
  const label = element('span');
  const button = element('button', { type: 'button', className: 'quiet' }, icon(mark), say(label, name));
  let back: ReturnType<typeof setTimeout> | undefined;
  const tell = (what: 'copied' | 'copyFailed'): void => {
    say(label, () => t()[what]);
    announce(t()[what]);
    clearTimeout(back);
    back = setTimeout(() => say(label, name), 2000);
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

/** Copies the address that fills in a form; what it leaves out is told to who points at it. */
export function linkButton(address: string, withPicture: boolean): HTMLButtonElement {
  const button = copyButton(address, 'link', () => t().copyLink);
  return say(button, () => (withPicture ? t().copyLinkPicture : t().copyLinkHint), 'title');
}

/** A button that asks once more before it acts: what it does cannot be undone. */
export function confirmButton(mark: IconName, label: () => string, act: () => void): HTMLButtonElement {
  const text = element('span');
  const button = element('button', { type: 'button', className: 'quiet' }, icon(mark), say(text, label));
  let sure = false;
  const ask = (next: boolean): void => {
    sure = next;
    button.classList.toggle('sure', sure);
    say(text, sure ? () => t().sure : label);
  };
  button.addEventListener('click', () => {
    if (sure) act();
    else announce(t().sure);
    ask(!sure);
  });
  button.addEventListener('blur', () => ask(false));
  return button;
}

/** Brings what was asked for from elsewhere into sight, and the focus with it. */
export function showAgain(block: HTMLElement): void {
  block.tabIndex = -1;
  block.focus({ preventScroll: true });
  block.scrollIntoView({ block: 'start', behavior: 'smooth' });
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
