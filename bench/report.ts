import type { Conditions, KernelResult, ModelResult, PeerResult, Results } from './results';
import type { Ruler } from './ruler';
import { markdownTable, short } from './statistics';

/** The results as Markdown. */
export function report(results: Results): string {
  const { ruler, rulerAfter, kernels, models, peers, checks, skipped } = results;
  return [
    conditionLines(results.conditions),
    ruler ? section('Ruler', rulerTable(ruler, rulerAfter)) : '',
    models.length > 0 ? section('Models', modelTable(models)) : '',
    peers.length > 0 ? section('Against onnxruntime', peerTable(peers)) : '',
    kernels.length > 0 ? section('Kernels', kernelTable(kernels)) : '',
    checks.length > 0 ? section('Checked', checks.map((line) => `- ${line}`).join('\n')) : '',
    skipped.length > 0 ? section('Left out', skipped.map((line) => `- ${line}`).join('\n')) : '',
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const section = (title: string, body: string): string => `## ${title}\n\n${body}`;

function conditionLines({ adapter, kernels, runtime, machine, commit, date, note }: Conditions): string {
  const name = [adapter.description || adapter.device, adapter.vendor, adapter.architecture].filter(Boolean).join(', ');
  return [
    `${name || 'unnamed adapter'}${adapter.software ? ' (software)' : ''}, kernels: ${kernels}  `,
    `${runtime}; ${machine}  `,
    `commit ${commit}, ${date}${note ? `  \n**${note}**` : ''}`,
  ].join('\n');
}

const percent = (share: number | null): string => (share === null ? '' : `${short(share * 100)} %`);
const plusMinus = (spread: number): string => `${short(spread * 100)} %`;
const optional = (value: number | null): string => (value === null ? '' : short(value));

function rulerTable(ruler: Ruler, after: Ruler | null): string {
  const marks = [
    ['copying, GB/s (read + written)', 'copyGBs'],
    ['reading, GB/s', 'readGBs'],
    ['matrix by matrix, f32, GFLOP/s', 'gemmGflops'],
    ['multiply-adds in registers, f32, GFLOP/s', 'peakGflops'],
  ] as const;
  return markdownTable(
    ['what', 'before', 'after', 'variant', 'spread'],
    marks.map(([title, key]) => [
      title,
      short(ruler[key].value),
      after ? short(after[key].value) : '',
      ruler[key].variant,
      plusMinus(ruler[key].spread),
    ]),
  );
}

function modelTable(models: readonly ModelResult[]): string {
  return markdownTable(
    ['model', 'what', 'count', 'ms', 'spread', 'tokens/s', 'GFLOP/s', 'of ruler', 'dispatches', 'MB', ''],
    models.map((result) => [
      result.model,
      result.what,
      String(result.count),
      short(result.medianMs),
      plusMinus(result.spread),
      optional(result.tokensPerSecond),
      optional(result.gflops),
      percent(result.fraction),
      result.dispatches === null ? '' : String(result.dispatches),
      result.bytes === null ? '' : short(result.bytes / 1e6),
      result.remark ?? '',
    ]),
  );
}

function peerTable(peers: readonly PeerResult[]): string {
  return markdownTable(
    [
      'model',
      'what',
      'batch',
      'peer',
      'ours, ms',
      'peer, ms',
      'ours, tokens/s',
      'peer, tokens/s',
      'ratio',
      'spread',
      '',
    ],
    peers.map((result) => [
      result.model,
      result.what,
      String(result.batch),
      result.peer,
      short(result.ours.medianMs),
      short(result.theirs.medianMs),
      optional(result.tokensPerSecond?.[0] ?? null),
      optional(result.tokensPerSecond?.[1] ?? null),
      `${short(result.ratio)} ×`,
      `${plusMinus(result.ours.spread)}, ${plusMinus(result.theirs.spread)}`,
      result.remark ?? '',
    ]),
  );
}

function kernelTable(kernels: readonly KernelResult[]): string {
  return markdownTable(
    ['shapes of', 'rows', 'operation', 'µs', 'spread', 'GB/s', 'GFLOP/s', 'of ruler', 'dispatches', 'chained'],
    kernels.map((result) => [
      result.preset,
      result.rows,
      result.operation,
      short(result.medianMs * 1000),
      plusMinus(result.spread),
      optional(result.gbs),
      optional(result.gflops),
      percent(result.fraction),
      String(Math.round(result.dispatches * 10) / 10),
      String(result.chained),
    ]),
  );
}
