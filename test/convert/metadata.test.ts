import { describe, expect, it } from 'vitest';
import { parseMetadata } from '../../src/convert/metadata';

const credit = { what: 'sprites', by: 'somebody', licence: 'OFL-1.1', url: 'https://example.org' };

describe('parseMetadata', () => {
  const parse = (json: unknown) => parseMetadata({ label: 'meta.json', text: JSON.stringify(json) });
  it('takes name, description, attribution and examples', () => {
    const good = { name: 'Small', description: { ru: 'Знает картинки.' }, attribution: [credit], examples: ['кот'] };
    expect(parse(good)).toEqual(good);
    expect(parse({})).toEqual({});
    const translated = { attribution: [{ ...credit, what: { ru: 'картинки', en: 'sprites' } }] };
    expect(parse(translated)).toEqual(translated);
  });
  it.each<[unknown, string]>([
    [[], 'meta.json: is no JSON object'],
    [{ title: 'x' }, 'meta.json: title is not known; there are name, description, attribution, examples'],
    [{ name: 1 }, 'meta.json: name is no text'],
    [{ description: 'x' }, 'meta.json: description is no object of texts by language'],
    [{ examples: ['a', 1] }, 'meta.json: examples is no list of texts'],
    [{ attribution: [{ ...credit, by: undefined }] }, 'meta.json: attribution is no list of'],
    [{ attribution: [{ ...credit, what: { ru: 1 } }] }, 'meta.json: attribution is no list of'],
    [{ attribution: [{ ...credit, url: 'javascript:alert(1)' }] }, 'meta.json: attribution is no list of'],
  ])('refuses %j', (json, message) => {
    expect(() => parse(json)).toThrow(message);
  });
});
