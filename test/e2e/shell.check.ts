import { expect, it } from 'vitest';
import { print, visit } from './shell';
import { useTinyPage } from './tinyPage';

/*
 * Prints the figures of the page itself (`npm run figures:shell`). Times are this machine's.
 */
const tiny = useTinyPage({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, locale: 'ru-RU' });

it.each([
  ['this machine, no network between', null],
  ['slow 4G (150 ms, 1.6 Mbit/s), a quarter of this processor: as Lighthouse imitates a phone', 4],
] as const)('%s', async (name, slowdown) => {
  if (slowdown !== null) {
    const client = await tiny.context.newCDPSession(tiny.page);
    await client.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
    await client.send('Network.enable');
    await client.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 150,
      downloadThroughput: 1.6e6 / 8,
      uploadThroughput: 750e3 / 8,
    });
  }
  const figures = await visit(tiny.page, tiny.site.address('tiny'));
  print(name, figures);
  expect(figures.shift).toBeLessThan(0.1);
});
