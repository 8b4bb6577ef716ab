import { readFile } from 'node:fs/promises';
import { RudolphError } from '../../src/errors';

/**
 * A JSON file's value.
 * @throws RudolphError `bad-input`, which names the file, when it cannot be read or is no JSON.
 */
export async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message;
    throw new RudolphError('bad-input', `${file} cannot be read: ${reason}`, { file }, { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new RudolphError('bad-input', `${file} is no JSON: ${(cause as Error).message}`, { file }, { cause });
  }
}
