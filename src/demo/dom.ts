import type { RgbaImage } from '../index';

type Child = Node | string;

/** Creates an element; `text`, `className` and the like are set as properties, names with a dash as attributes. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> & Record<`${string}-${string}`, string> = {} as never,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-')) created.setAttribute(name, String(value));
    else (created as unknown as Record<string, unknown>)[name] = value;
  }
  created.append(...children);
  return created;
}

/** The element of the page with this id. */
export function byId<E extends HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as E;
}

/** Puts pixels on a canvas of their size. */
export function paint(canvas: HTMLCanvasElement, image: RgbaImage): void {
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext('2d')!.putImageData(new ImageData(image.data, image.width, image.height), 0, 0);
}

/** A bar with its part done, 0…1; `null` while nobody knows. */
export function setBar(bar: HTMLElement, part: number | null): void {
  bar.classList.toggle('bar-unknown', part === null);
  if (part === null) {
    bar.removeAttribute('aria-valuenow');
    return;
  }
  const clamped = Math.min(1, Math.max(0, part));
  bar.setAttribute('aria-valuenow', String(Math.round(clamped * 100)));
  bar.style.setProperty('--done', String(clamped));
}

/** A progress bar; give it a label. */
export function createBar(): HTMLDivElement {
  const bar = element('div', { className: 'bar', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' });
  bar.append(element('div', { className: 'bar-fill' }));
  return bar;
}

/** Tells screen readers something that only shows elsewhere. */
export function announce(text: string): void {
  byId('live').textContent = text;
}
