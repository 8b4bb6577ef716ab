import { expect, it } from 'vitest';
import { useTinyPage } from './tinyPage';

/*
 * A graphics adapter that computes wrongly, as the page shows it: one kernel's text is changed on its way into the worker.
 */
const tiny = useTinyPage({ locale: 'ru-RU', permissions: ['clipboard-read', 'clipboard-write'] });

it('refuses a kernel that computes wrongly, and gives a report to copy', async () => {
  const { page, site } = tiny;
  let changed = 0;
  await page.route(/\/worker[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    const body = await response.text();
    const wrong = body.replaceAll('left$m+=dots8(', 'left$m-=dots8(');
    if (wrong !== body) changed++;
    await route.fulfill({ response, body: wrong });
  });
  await page.goto(site.address('tiny'));
  const block = page.locator('#banners .error-block');
  await block.waitFor({ timeout: 120_000 });
  expect(changed).toBeGreaterThan(0); // the list of stored models asks a worker of its own
  expect(await block.locator('.error-headline').textContent()).toContain('считают неверно');
  expect(await block.locator('.error-detail').textContent()).toMatch(
    /computes wrongly \(matmul_direct \+ .* instead of /,
  );
  await block.getByRole('button', { name: 'Скопировать отчёт' }).click();
  await block.getByText('Скопировано').waitFor();
  const report = await page.evaluate(() => navigator.clipboard.readText());
  expect(report).toMatch(
    /^rudolph-web \d+\.\d+\.\d+\nbrowser: Mozilla.*\nadapter: google, swiftshader.* \(software\)\n/,
  );
  expect(report).toMatch(/\nFAIL matmul_direct \+ weights_fp16 .*: first run: /);
  expect(report).toMatch(/\nok {3}embed: largest difference \d/);
});
