/** A verdict by its parts: right, wrong, or (null) nothing was said of it; other facts are not counted. */
export interface Judged {
  readonly verdict: Readonly<Record<string, unknown>>;
}

export const CAPTION_PARTS = ['sprites', 'relation', 'place', 'size', 'background', 'true'] as const;
export const DRAWING_PARTS = ['sprites', 'places', 'sizes', 'background', 'all'] as const;

/** Rows of a Markdown table: one a part of the verdicts, "right/said" of single scenes, of pairs and of all. Empty without verdicts. */
export function table(
  name: string,
  parts: readonly string[],
  judged: readonly (Judged & { readonly pair: boolean })[],
): string[] {
  if (judged.length === 0) return [];
  const groups = [judged.filter(({ pair }) => !pair), judged.filter(({ pair }) => pair), judged];
  const cell = (group: readonly Judged[], part: string): string => {
    const said = group.map(({ verdict }) => verdict[part]).filter((value) => value === true || value === false);
    const right = said.filter(Boolean).length;
    return said.length === 0 ? '–' : `${right}/${said.length} (${Math.round((100 * right) / said.length)} %)`;
  };
  return [
    `| ${name} | one sprite | two sprites | all |`,
    '| --- | --- | --- | --- |',
    ...parts.map((part) => `| ${part} | ${groups.map((group) => cell(group, part)).join(' | ')} |`),
    '',
  ];
}
