import { RudolphError } from '../errors';
import type { Manifest } from '../format/manifest';

/** What people may want to know about a model; all of it goes into the manifest unchanged. */
export type Metadata = Partial<Pick<Manifest, 'name' | 'description' | 'attribution' | 'examples'>>;

/**
 * Reads a metadata file: `name`, `description` (language → sentence), `attribution` (what, as one text or by language, by, licence, url), `examples`.
 * @throws RudolphError `bad-input` naming the field.
 */
export function parseMetadata({ label, text }: { readonly label: string; readonly text: string }): Metadata {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new RudolphError('bad-input', `${label} is no JSON`);
  }
  return checkMetadata(json, (what) => new RudolphError('bad-input', `${label}: ${what}`));
}

/** Checks the fields for people of a metadata file; others are refused. */
function checkMetadata(json: unknown, error: (what: string) => RudolphError): Metadata {
  if (!isObject(json)) throw error('is no JSON object');
  const { name, description, attribution, examples, ...rest } = json;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw error(`${unknown} is not known; there are name, description, attribution, examples`);
  if (name !== undefined && typeof name !== 'string') throw error('name is no text');
  if (description !== undefined && !isTranslated(description))
    throw error('description is no object of texts by language (e.g. ru, pt-BR)');
  if (examples !== undefined && !(Array.isArray(examples) && examples.every(isText)))
    throw error('examples is no list of texts');
  const isCredit = (item: unknown): item is Credit =>
    isObject(item) &&
    (isText(item['what']) || isTranslated(item['what'])) &&
    isText(item['by']) &&
    isText(item['licence']) &&
    (item['url'] === undefined || (isText(item['url']) && /^https?:\/\//.test(item['url'])));
  if (attribution !== undefined && !(Array.isArray(attribution) && attribution.every(isCredit)))
    throw error('attribution is no list of { what, by, licence, url? } with url an http(s) address');
  // Only what was checked goes into the manifest.
  const credit = ({ what, by, licence, url }: Credit): Credit => ({
    what,
    by,
    licence,
    ...(url === undefined ? {} : { url }),
  });
  return { ...(json as Metadata), ...(attribution ? { attribution: (attribution as Credit[]).map(credit) } : {}) };
}

type Credit = NonNullable<Metadata['attribution']>[number];

function isTranslated(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.entries(value).every(isSentence);
}

/** A language as BCP 47 writes it; that also keeps out keys that the manifest's reader refuses, such as `__proto__`. */
function isSentence([language, text]: readonly [string, unknown]): boolean {
  return /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/.test(language) && isText(text);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
