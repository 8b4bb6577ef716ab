import { css } from 'lit';

/**
 * Colours follow the page's `color-scheme`, as those of native controls do: a page that declares none is light. Every `--rudolph-…`
 * of the page comes first.
 */
export const style = css`
  :host {
    --accent: var(--rudolph-accent, #c92a20);
    --on-accent: var(--rudolph-on-accent, #ffffff);
    --surface: var(--rudolph-surface, #ffffff);
    --sunken: var(--rudolph-sunken, #efebe4);
    --ink: var(--rudolph-ink, #221e1b);
    --ink-soft: var(--rudolph-ink-soft, #665f57);
    --line: var(--rudolph-line, #8f877c);
    --radius: var(--rudolph-radius, 14px);
    display: block;
    box-sizing: border-box;
    max-width: 26rem;
    padding: 1rem;
    border-radius: var(--radius);
    background: var(--surface);
    color: var(--ink);
    box-shadow: 0 0 0 1px color-mix(in srgb, var(--line) 35%, transparent);
    font-family: var(--rudolph-font, inherit);
    line-height: 1.45;
    text-align: start;
  }

  @supports (color: light-dark(red, red)) {
    :host {
      --accent: var(--rudolph-accent, light-dark(#c92a20, #ff6a5c));
      --on-accent: var(--rudolph-on-accent, light-dark(#ffffff, #260805));
      --surface: var(--rudolph-surface, light-dark(#ffffff, #1f1c1a));
      --sunken: var(--rudolph-sunken, light-dark(#efebe4, #2a2623));
      --ink: var(--rudolph-ink, light-dark(#221e1b, #f3eee8));
      --ink-soft: var(--rudolph-ink-soft, light-dark(#665f57, #b3aaa1));
      --line: var(--rudolph-line, light-dark(#8f877c, #847b73));
    }
  }

  :host([hidden]),
  [hidden] {
    display: none !important;
  }

  * {
    box-sizing: border-box;
  }

  .stack {
    display: grid;
    gap: 0.75rem;
  }

  p,
  ol {
    margin: 0;
    padding: 0;
  }

  label {
    display: block;
    margin-bottom: 0.3rem;
    font-size: 0.9em;
    color: var(--ink-soft);
  }

  textarea {
    display: block;
    width: 100%;
    padding: 0.55rem 0.7rem;
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 0.6);
    background: var(--surface);
    color: inherit;
    font: inherit;
    resize: vertical;
  }

  button {
    padding: 0.6rem 1.1rem;
    border: 1px solid transparent;
    border-radius: calc(var(--radius) * 0.6);
    background: var(--accent);
    color: var(--on-accent);
    font: inherit;
    font-weight: 600;
    cursor: pointer;
  }

  button.stops,
  button.quiet {
    border-color: var(--line);
    background: transparent;
    color: inherit;
  }

  button.quiet {
    padding: 0.3rem 0.6rem;
    font-size: 0.85em;
    font-weight: 400;
  }

  :focus-visible,
  .drop:focus-within {
    outline: 2px solid var(--ink);
    outline-offset: 2px;
  }

  .drop {
    position: relative;
    display: grid;
    place-items: center;
    margin: 0;
    min-height: 8rem;
    overflow: hidden;
    border: 2px dashed var(--line);
    border-radius: var(--radius);
    background: var(--sunken);
    color: inherit;
    text-align: center;
    cursor: pointer;
  }

  .drop.over {
    border-color: var(--accent);
  }

  .drop canvas,
  .drop img {
    display: block;
    width: 100%;
    aspect-ratio: 1;
    object-fit: cover;
  }

  .drop span {
    padding: 1rem;
  }

  .own .files {
    display: flex;
    gap: 0.5rem;
    margin-top: 0.5rem;
  }

  .own summary {
    font-size: 0.9em;
    color: var(--ink-soft);
    cursor: pointer;
  }

  .file {
    position: relative;
    margin: 0;
    padding: 0.3rem 0.6rem;
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 0.6);
    color: inherit;
    cursor: pointer;
  }

  .file:focus-within {
    outline: 2px solid var(--ink);
    outline-offset: 2px;
  }

  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  progress {
    display: block;
    width: 100%;
    accent-color: var(--accent);
  }

  .stage {
    display: flex;
    justify-content: space-between;
    gap: 1rem;
    font-size: 0.9em;
    font-variant-numeric: tabular-nums;
  }

  .hint,
  .note {
    font-size: 0.85em;
    color: var(--ink-soft);
  }

  .pictures {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 9rem), 1fr));
    gap: 0.75rem;
    list-style: none;
  }

  .pictures li:only-child {
    grid-column: 1 / -1;
  }

  .picture {
    display: block;
    width: 100%;
    margin-bottom: 0.4rem;
    aspect-ratio: 1;
    border-radius: calc(var(--radius) * 0.6);
    background: var(--sunken);
  }

  .texts {
    display: grid;
    gap: 0.35rem;
    list-style: none;
  }

  .texts li {
    display: flex;
    justify-content: space-between;
    gap: 1rem;
  }

  .texts li:first-child {
    font-weight: 600;
  }

  .share {
    color: var(--ink-soft);
    font-weight: 400;
    font-variant-numeric: tabular-nums;
  }

  /* Still there for screen readers, but no row of its own. */
  [role='alert']:empty {
    position: absolute;
  }

  .error {
    padding: 0.6rem 0.8rem;
    border-inline-start: 3px solid var(--accent);
    background: var(--sunken);
  }

  .error details {
    margin-top: 0.3rem;
    font-size: 0.85em;
    overflow-wrap: anywhere;
  }
`;
