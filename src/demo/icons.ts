/** Strokes on a 24×24 field. */
const ICONS = {
  save: 'M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M5 19.5h14',
  seed: 'M8 4.5h8a3.5 3.5 0 0 1 3.5 3.5v8a3.5 3.5 0 0 1-3.5 3.5H8A3.5 3.5 0 0 1 4.5 16V8A3.5 3.5 0 0 1 8 4.5M9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01',
  close: 'M6 6l12 12M18 6 6 18',
  plus: 'M12 5v14M5 12h14',
  copy: 'M9 8.5h9a1.5 1.5 0 0 1 1.5 1.5v8a1.5 1.5 0 0 1-1.5 1.5h-8A1.5 1.5 0 0 1 8.5 18zM15.5 8V6A1.5 1.5 0 0 0 14 4.5H6A1.5 1.5 0 0 0 4.5 6v8A1.5 1.5 0 0 0 6 15.5h2',
  link: 'M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7l1.1-1.1',
  again: 'M19 12a7 7 0 1 1-2.2-5.1M19 4.5V9h-4.5',
  remove: 'M5 7h14M10 7V5h4v2M7 7l.8 12h8.4L17 7M10.5 10.5v5M13.5 10.5v5',
  // One a task.
  draw: 'M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5zM13.5 7l3.5 3.5',
  inpaint:
    'M4.5 9V6A1.5 1.5 0 0 1 6 4.5h3M15 4.5h3A1.5 1.5 0 0 1 19.5 6v3M4.5 15v3A1.5 1.5 0 0 0 6 19.5h3M13 19.5l.7-2.8 5.3-5.3 2.1 2.1-5.3 5.3z',
  caption: 'M4 6.5h16M4 12h16M4 17.5h9',
  answer:
    'M6.5 5h11A2.5 2.5 0 0 1 20 7.5v6a2.5 2.5 0 0 1-2.5 2.5H12l-4.5 3.5V16h-1A2.5 2.5 0 0 1 4 13.5v-6A2.5 2.5 0 0 1 6.5 5M10.3 9.2a1.8 1.8 0 1 1 2.5 1.6c-.5.2-.8.5-.8 1M12 13.5h.01',
  read: 'M4.5 8V6A1.5 1.5 0 0 1 6 4.5h2M16 4.5h2A1.5 1.5 0 0 1 19.5 6v2M19.5 16v2a1.5 1.5 0 0 1-1.5 1.5h-2M8 19.5H6A1.5 1.5 0 0 1 4.5 18v-2M8.5 16l3.5-8.5 3.5 8.5M9.7 13.2h4.6',
  classify: 'M5 6.5h14M5 12h9M5 17.5h5',
  rank: 'M7.5 5v14M7.5 19l-3-3M7.5 19l3-3M16.5 19V5M16.5 5l-3 3M16.5 5l3 3',
  continue: 'M4 7h16M4 12h6M13 12h.01M16.5 12h.01M20 12h.01M4 17h3',
  perplexity: 'M4.5 17.5a7.5 7.5 0 0 1 15 0M12 17.5l3.8-5.2M4.5 20h15',
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
