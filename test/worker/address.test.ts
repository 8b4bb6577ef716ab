import { describe, expect, it } from 'vitest';
import { checkAddress } from '../../src/worker/address';

describe('the address of a model', () => {
  it.each([
    'https://page.example/demo/models/embedded/',
    'HTTP://localhost:8000/m/',
    'local:0123456789abcdef0123456789abcdef',
    'chrome-extension://abc/models/embedded/',
  ])('may be %s', (url) => {
    expect(checkAddress(url, 'chrome-extension:')).toBe(url);
  });

  it.each([
    'javascript:alert(1)',
    'data:application/json,{}',
    'file:///etc/passwd',
    'blob:https://page.example/1',
    'chrome-extension://abc/models/embedded/',
    'models/embedded/',
    ' https://page.example/',
  ])('may not be %s on a page of the web', (url) => {
    expect(() => checkAddress(url, 'https:')).toThrow(
      expect.objectContaining({ name: 'RudolphError', code: 'bad-input' }),
    );
  });
});
