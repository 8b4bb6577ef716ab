import { RudolphError } from '../../src/errors';
import { readJson } from './json';

/** Image tokens of one or more pictures, each row by row. */
export interface ImageTokens {
  readonly codebooks: readonly (readonly number[])[];
  /** In tokens, where the file says so; else pictures are squares. */
  readonly size: { readonly width: number; readonly height: number } | null;
}

/**
 * Reads image tokens: an array of ids, an array of such arrays, or what the commands print, `{"indices": […]}` (encode-image) and
 * `{"codebooks": [[…], …]}` (draw, inpaint).
 * @throws RudolphError `bad-input` when the file is not of this form or holds no tokens.
 */
export async function readImageTokens(file: string): Promise<ImageTokens> {
  const value = await readJson(file);
  const record = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const found = Array.isArray(value) ? value : (record['codebooks'] ?? record['indices']);
  const rows: unknown[] = Array.isArray(found) && found.every((row) => Array.isArray(row)) ? found : [found];
  if (rows.length === 0 || !rows.every(isTokens)) {
    throw new RudolphError(
      'bad-input',
      `${file} must hold image tokens: an array of whole numbers, an array of such arrays, or an object with one of them as "indices" or "codebooks"`,
      { file },
    );
  }
  const { width, height } = record;
  return { codebooks: rows, size: isSide(width) && isSide(height) ? { width, height } : null };
}

/** `readImageTokens` of a file that must hold exactly one picture. */
export async function readOnePicture(
  file: string,
): Promise<{ readonly tokens: readonly number[]; readonly size: ImageTokens['size'] }> {
  const { codebooks, size } = await readImageTokens(file);
  const [tokens, ...more] = codebooks;
  if (more.length > 0) {
    throw new RudolphError('bad-input', `${file} holds the tokens of ${codebooks.length} pictures, expected one`, {
      file,
    });
  }
  return { tokens: tokens!, size };
}

function isTokens(row: unknown): row is number[] {
  return Array.isArray(row) && row.length > 0 && row.every((id) => Number.isInteger(id) && (id as number) >= 0);
}

function isSide(side: unknown): side is number {
  return Number.isInteger(side) && (side as number) > 0;
}
