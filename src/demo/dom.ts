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
  seed: 'M5 8.5 12 4.5l7 4v7.5l-7 4-7-4zM5 8.5l7 4m0 0 7-4m-7 4V20',
  repeat: 'M4.5 12a7.5 7.5 0 0 1 13-5.1L20 9.5M20 4.5v5h-5M19.5 12a7.5 7.5 0 0 1-13 5.1L4 14.5M4 19.5v-5h5',
  draw: 'M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5zM13.5 7l3.5 3.5',
  close: 'M6 6l12 12M18 6 6 18',
  picture: 'M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 17M15.5 9.5h.01',
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
