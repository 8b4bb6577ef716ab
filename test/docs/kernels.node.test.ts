import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const named = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.wgsl'))
    .map((name) => name.replace('.wgsl', ''));

it('the guide tells of every kernel and every part, and of no others', () => {
  const guide = readFileSync('docs/kernels.md', 'utf8');
  // A kernel is set in bold where it is explained.
  const kernels = [...guide.matchAll(/\*\*`(\w+)`\*\*/g)].map((match) => match[1]!);
  expect(kernels.toSorted()).toEqual(named('shaders').toSorted());
  const parts = [...guide.matchAll(/`parts\/(\w+)`/g)].map((match) => match[1]!);
  expect([...new Set(parts)].toSorted()).toEqual(named('shaders/parts').toSorted());
});
