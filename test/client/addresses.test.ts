import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { absolute } from '../../src/client/rudolph';

beforeEach(() => {
  const { href, protocol } = new URL('https://page.example/demo/index.html');
  vi.stubGlobal('location', { href, protocol });
});
afterEach(() => vi.unstubAllGlobals());

describe('the address of a model', () => {
  it.each([
    ['models/embedded/', 'https://page.example/demo/models/embedded/'],
    ['//models.example/a', 'https://models.example/a'],
    ['http://localhost:8000/m/', 'http://localhost:8000/m/'],
    ['local:0123456789abcdef0123456789abcdef', 'local:0123456789abcdef0123456789abcdef'],
  ])('%s is %s', (url, expected) => {
    expect(absolute(url)).toBe(expected);
  });

  it.each([
    'javascript:alert(1)',
    'data:application/json,{}',
    'file:///etc/passwd',
    'blob:https://page.example/1',
    'https://',
  ])('%s is refused', (url) => {
    expect(() => absolute(url)).toThrow(expect.objectContaining({ name: 'RudolphError', code: 'bad-input' }));
  });

  it('may be of the scheme that the page has', () => {
    vi.stubGlobal('location', { href: 'chrome-extension://abc/page.html', protocol: 'chrome-extension:' });
    expect(absolute('models/embedded/')).toBe('chrome-extension://abc/models/embedded/');
  });
});
