import { expect, it } from 'vitest';
import { figure } from '../../src/demo/results';

it.each([
  [1.234, '1,23'],
  [12.34, '12,3'],
  [1234.5, '1\u00a0235'],
  [999_999, '999\u00a0999'],
  [1e6, '1,0·10⁶'],
  [-92_292_100, '-9,2·10⁷'],
  [3.21018e15, '3,2·10¹⁵'],
])('a perplexity or score of %d is short', (value, text) => expect(figure(value)).toBe(text));
