import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { STRINGS } from '../../src/demo/strings';

const html = readFileSync('index.html', 'utf8');
const keys = [...html.matchAll(/data-t(?:-label|-placeholder)?="([^"]*)"/g)].map((match) => match[1]!);

it('finds the marks of the page', () => expect(keys.length).toBeGreaterThan(10));

it.each(['ru', 'en'] as const)('%s has a plain sentence for every mark in index.html', (language) => {
  const strings = STRINGS[language] as unknown as Record<string, unknown>;
  expect(keys.filter((key) => typeof strings[key] !== 'string' || strings[key] === '')).toEqual([]);
});

it('ru is Russian and en is English', () => {
  const plain = (language: 'ru' | 'en') =>
    Object.entries(STRINGS[language]).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  expect(plain('en').filter(([, text]) => /[а-яё]/i.test(text))).toEqual([]);
  // File formats and the like stay as they are.
  expect(plain('ru').filter(([key, text]) => key !== 'save' && !/[а-яё]/i.test(text))).toEqual([]);
});
