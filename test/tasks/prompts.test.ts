import { expect, it } from 'vitest';
import { fillTemplate } from '../../src/tasks/prompts';

it('a template takes the text as it is, wherever it wants it', () => {
  expect(fillTemplate('на картинке {}', 'кот')).toBe('на картинке кот');
  expect(fillTemplate('{} и {}', '5$$ $&')).toBe('5$$ $& и 5$$ $&');
  expect(() => fillTemplate('на картинке', 'кот')).toThrow(/has no \{\}/);
});
