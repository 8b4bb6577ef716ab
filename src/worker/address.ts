import { RudolphError } from '../errors';

/**
 * A model's address: of the web, of this browser's storage, or of where the page itself comes from (an extension). No `data:`,
 * `javascript:` or `file:`, whoever made up the address.
 * @param own the scheme of the page, e.g. `https:`
 * @throws RudolphError `bad-input`
 */
export function checkAddress(url: string, own: string): string {
  const [scheme] = /^[a-z][a-z0-9+.-]*:/i.exec(url) ?? [''];
  if (['http:', 'https:', 'local:', own].includes(scheme.toLowerCase())) return url;
  throw new RudolphError(
    'bad-input',
    `'${url.slice(0, 80)}' is no address that models are taken from; give one of the web, e.g. "models/rudolph/"`,
    { url },
  );
}
