/** What one entry of the held-out set gave: values of measures, with what was asked and answered, for whoever looks closer. */
export interface Outcome {
  /** Part of the evaluation, e.g. "caption". */
  readonly part: string;
  /** Which entry: "scene 12", "sum 3". */
  readonly entry: string;
  /** Measure → 0…1 (right or not, or how far), or dB. */
  readonly values: Readonly<Record<string, number>>;
  readonly asked?: string;
  readonly answered?: string;
  readonly expected?: string;
  readonly details?: unknown;
}

interface Bar {
  readonly bar: number;
  readonly unit: 'share' | 'score' | 'dB';
}

const share = (bar: number): Bar => ({ bar, unit: 'share' });

/** What is wanted of the measures' means; other measures only inform. */
const BARS: Readonly<Record<string, Bar>> = {
  'drawing, one sprite, first': share(0.8),
  'drawing, two sprites, first': share(0.65),
  'drawing, one sprite, best of 8': share(0.9),
  'drawing, two sprites, best of 8': share(0.8),
  'caption, one sprite': share(0.9),
  'caption, two sprites': share(0.8),
  'question, what': share(0.85),
  'question, background': share(0.85),
  'question, where': share(0.85),
  'question, how many': share(0.85),
  'question, size': share(0.85),
  'question, text': share(0.85),
  'reading, 1 − edit distance': { bar: 0.9, unit: 'score' },
  'zero-shot, 10 classes': share(0.9),
  'sum continued, seen': share(0.95),
  'sum continued, unseen': share(0.95),
  'sum asked, seen': share(0.95),
  'sum asked, unseen': share(0.95),
  'text question': share(0.85),
  'image tokenizer, PSNR': { bar: 26, unit: 'dB' },
};

/** A Markdown table: each measure's mean and how many values it is of, what is wanted, and whether that is reached. Those with a bar come first. */
export function table(outcomes: readonly Outcome[]): string[] {
  const values = new Map<string, number[]>();
  for (const outcome of outcomes) {
    for (const [measure, value] of Object.entries(outcome.values))
      values.set(measure, [...(values.get(measure) ?? []), value]);
  }
  const wanted = Object.keys(BARS).filter((measure) => values.has(measure));
  const others = [...values.keys()].filter((measure) => !(measure in BARS)).sort();
  return [
    '| measure | figure | of | wanted | |',
    '| --- | --- | --- | --- | --- |',
    ...[...wanted, ...others].map((measure) => {
      const list = values.get(measure)!;
      const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
      const { bar, unit } = BARS[measure] ?? { bar: undefined, unit: 'share' };
      const ending = bar === undefined ? ['', ''] : [format(bar, unit), mean >= bar ? 'met' : 'missed'];
      return `| ${[measure, format(mean, unit, 1), list.length, ...ending].join(' | ')} |`;
    }),
  ];
}

function format(value: number, unit: Bar['unit'], digits = 0): string {
  if (unit === 'share') return `${(100 * value).toFixed(digits)} %`;
  return unit === 'dB' ? `${value.toFixed(digits)} dB` : value.toFixed(digits + 1);
}
