import { expect, it } from 'vitest';
import { noticeText } from '../../src/demo/explain';
import type { Notice, NoticeCode } from '../../src/index';

/** Without `untrained`, about which each panel has a line of its own. */
const DETAILS: Readonly<Record<Exclude<NoticeCode, 'untrained'>, Notice['details']>> = {
  'text-cut': { used: 16, total: 20 },
  'storage-off': {},
  'storage-full': { neededBytes: 4.5e8, freeBytes: 2e7 },
  'storage-failed': { reason: 'out of luck' },
  'storage-evicted': { evictedBytes: 12e6 },
  'storage-removed': {},
  'older-version': {},
  'shard-damaged': { file: 'abc.bin' },
  'no-preview': {},
  'device-restored': { reason: 'driver reset' },
  converted: {},
};

it.each(Object.entries(DETAILS))('the notice %s is said in Russian', (code, details) => {
  const text = noticeText({ code: code as NoticeCode, message: 'in English', details });
  expect(text).toMatch(/^[А-Я].*\.$/);
  for (const value of Object.values(details).filter((detail) => typeof detail === 'number' && detail < 100))
    expect(text).toContain(String(value));
});

it('says how much room is missing, where that is known', () => {
  const notice = { code: 'storage-full', message: 'in English' } as const;
  expect(noticeText({ ...notice, details: DETAILS['storage-full'] })).toMatch(/450.МБ.*20,0.МБ/);
  expect(noticeText({ ...notice, details: {} })).not.toMatch(/NaN|МБ/);
});

it('leaves a notice that it does not know as it is', () => {
  const notice = { code: 'from-the-future' as NoticeCode, message: 'something new happened', details: {} };
  expect(noticeText(notice)).toBe('something new happened');
});
