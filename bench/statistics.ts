/** What was measured several times: the median, and how far the middle half of the samples lies apart. */
export interface Timing {
  readonly medianMs: number;
  /** (third quartile − first) / median. */
  readonly spread: number;
  readonly samples: number;
}

/** @param samples milliseconds, at least one. */
export function summarise(samples: readonly number[]): Timing {
  if (samples.length === 0) throw new Error('no samples');
  const medianMs = quantile(samples, 0.5);
  return {
    medianMs,
    spread: medianMs === 0 ? 0 : (quantile(samples, 0.75) - quantile(samples, 0.25)) / medianMs,
    samples: samples.length,
  };
}

/** The value below which a share of the samples lies, interpolated between neighbours. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (place - below);
}

/** Three significant digits, without exponents. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}

/** A table in Markdown, columns padded so that it can be read as it is. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, 3, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
