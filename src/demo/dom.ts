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

/** Strokes on a 24×24 field. */
const ICONS = {
  save: 'M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M5 19.5h14',
  describe: 'M4 6.5h16M4 12h16M4 17.5h9',
  seed: 'M8 4.5h8a3.5 3.5 0 0 1 3.5 3.5v8a3.5 3.5 0 0 1-3.5 3.5H8A3.5 3.5 0 0 1 4.5 16V8A3.5 3.5 0 0 1 8 4.5M9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01',
  draw: 'M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5zM13.5 7l3.5 3.5',
  close: 'M6 6l12 12M18 6 6 18',
} as const;
export type IconName = keyof typeof ICONS;

/** An icon of the page's own set; it says nothing to screen readers. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon-mark');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
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
