import type { Page } from 'playwright-core';

/** What the page itself costs, without a model's weights: what Lighthouse looks at. */
export interface Figures {
  readonly requests: number;
  /** Bytes on the wire, by what was asked for. */
  readonly bytes: Readonly<Record<string, number>>;
  /** Milliseconds since the navigation began; blocked: sum of what long tasks take beyond 50 ms each. */
  readonly firstPaint: number;
  readonly largestPaint: number;
  readonly loaded: number;
  readonly blocked: number;
  /** Cumulative layout shift, until the model is there. */
  readonly shift: number;
  /** Which elements moved, each with when and how much. */
  readonly moved: readonly string[];
}

/** Of a visit with nothing in any cache. */
export async function visit(page: Page, address: string): Promise<Figures> {
  const bytes: Record<string, number> = {};
  /** A worker's script is reported by the page and by the worker. */
  const asked = new Set<string>();
  const counted: Promise<void>[] = [];
  // Of the page and its worker; the service worker's own, which follow when everything is there, cost nobody time.
  page.on('requestfinished', (request) => {
    if (!request.url().startsWith('http') || request.url().includes('/models/')) return;
    if (asked.has(request.url())) return;
    asked.add(request.url());
    const type = request.url().includes('/worker-') ? 'worker' : request.resourceType();
    const count = async (): Promise<void> => {
      // Of a worker's script the browser does not tell the body's size.
      const body = await (await request.response())!.headerValue('content-length');
      const { responseHeadersSize } = await request.sizes();
      bytes[type] = (bytes[type] ?? 0) + Number(body) + responseHeadersSize;
    };
    counted.push(count());
  });
  await page.addInitScript(() => {
    // Who has a graphics card sees no warning that there is none.
    new MutationObserver(() => document.querySelector('.banner-slow')?.remove()).observe(document, {
      childList: true,
      subtree: true,
    });
    const seen = { largestPaint: 0, blocked: 0, shift: 0, moved: [] as string[] };
    Object.assign(globalThis, { seen });
    const watch = (
      type: string,
      add: (entry: PerformanceEntry & { value?: number; sources?: readonly { node: Node | null }[] }) => void,
    ): void => new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({ type, buffered: true });
    watch('largest-contentful-paint', ({ startTime }) => (seen.largestPaint = startTime));
    watch('longtask', ({ duration }) => (seen.blocked += duration - 50));
    watch('layout-shift', ({ value, startTime, sources }) => {
      seen.shift += value!;
      const nodes = sources!.map(({ node }) =>
        node instanceof Element ? `${node.tagName}.${node.className}#${node.id}` : 'text',
      );
      seen.moved.push(`${value!.toFixed(3)} at ${Math.round(startTime)} ms: ${nodes.join(', ')}`);
    });
  });
  await page.goto(address);
  await page.locator('#status:is([data-state=ready], [data-state=slow])').waitFor({ timeout: 240_000 });
  const times = await page.evaluate(() => {
    const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    const { seen } = globalThis as unknown as { seen: Pick<Figures, 'largestPaint' | 'blocked' | 'shift' | 'moved'> };
    return { ...seen, firstPaint: paint!.startTime, loaded: navigation!.loadEventEnd };
  });
  await Promise.all(counted);
  return { requests: asked.size, bytes, ...times };
}

export function print(name: string, { requests, bytes, moved, ...times }: Figures): void {
  const kilobytes = (sum: number): string => `${(sum / 1000).toFixed(1)} kB`;
  const all = Object.values(bytes).reduce((sum, part) => sum + part, 0);
  const parts = Object.entries(bytes).map(([type, part]) => `${type} ${kilobytes(part)}`);
  const milliseconds = (time: number): string => `${Math.round(time)} ms`;
  process.stdout.write(`${name}
  transferred   ${kilobytes(all)} in ${requests} requests (${parts.join(', ')})
  first paint   ${milliseconds(times.firstPaint)}
  largest paint ${milliseconds(times.largestPaint)}
  loaded        ${milliseconds(times.loaded)}
  blocked       ${milliseconds(times.blocked)}
  layout shift  ${times.shift.toFixed(3)}${moved.map((line) => `\n                ${line}`).join('')}
`);
}
