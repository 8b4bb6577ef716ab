import { RudolphError } from '../../src/errors';
import { readJson } from './json';
import type { Options } from './options';

/** Image tokens of one or more pictures, each row by row. */
export interface ImageTokens {
  readonly codebooks: readonly (readonly number[])[];
  /** In tokens, where the file says so; else pictures are squares. */
  readonly size: { readonly width: number; readonly height: number } | null;
}

/**
 * Reads image tokens: an array of ids, an array of such arrays, or what the commands print, `{"indices": […]}` (encode-image),
 * `{"codebooks": [[…], …]}` (draw, inpaint, rank-images) and `{"codebook": […]}` (whatever looks at a picture).
 * @throws RudolphError `bad-input` when the file is not of this form or holds no tokens.
 */
export async function readImageTokens(file: string): Promise<ImageTokens> {
  const value = await readJson(file);
  const record = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const found = Array.isArray(value) ? value : (record['codebooks'] ?? record['codebook'] ?? record['indices']);
  const rows: unknown[] = Array.isArray(found) && found.every((row) => Array.isArray(row)) ? found : [found];
  if (rows.length === 0 || !rows.every(isTokens)) {
    throw new RudolphError(
      'bad-input',
      `${file} must hold image tokens: an array of whole numbers, an array of such arrays, or an object with one of them as "indices", "codebook" or "codebooks"`,
      { file },
    );
  }
  const { width, height } = record;
  return { codebooks: rows, size: isSide(width) && isSide(height) ? { width, height } : null };
}

/** Help text of --candidate. */
export const CANDIDATE_USAGE = `  --candidate K       which picture, from 0 on, where the JSON holds several, as draw --json prints them`;

/** One picture of `readImageTokens`: the only one, or --candidate. */
export async function readOnePicture(
  file: string,
  options: Options,
): Promise<{ readonly tokens: readonly number[]; readonly size: ImageTokens['size'] }> {
  const candidate = options.integer('candidate', { min: 0 });
  const { codebooks, size } = await readImageTokens(file);
  const last = codebooks.length - 1;
  if (candidate === undefined && last > 0)
    throw new RudolphError(
      'bad-input',
      `${file} holds the tokens of ${codebooks.length} pictures: choose one by --candidate, 0 to ${last}`,
      { file },
    );
  const tokens = codebooks[candidate ?? 0];
  if (!tokens)
    throw new RudolphError(
      'bad-input',
      `--candidate is ${candidate}, but ${file} holds the tokens of ${last === 0 ? 'one picture: 0' : `${codebooks.length} pictures: 0 to ${last}`}`,
      { file },
    );
  return { tokens, size };
}

function isTokens(row: unknown): row is number[] {
  return Array.isArray(row) && row.length > 0 && row.every((id) => Number.isInteger(id) && (id as number) >= 0);
}

function isSide(side: unknown): side is number {
  return Number.isInteger(side) && (side as number) > 0;
}
