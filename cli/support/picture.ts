import { RudolphError } from '../../src/errors';
import type { PictureTokens } from '../../src/tasks/types';
import { readImage } from './images';
import { CANDIDATE_USAGE, readOnePicture } from './imageTokens';
import type { Options } from './options';

/** Options of every command that reads one picture. */
export const PICTURE_VALUES = ['image', 'codebook', 'candidate'] as const;
export const PICTURE_USAGE = `  --image F           PNG, JPEG or WebP; its centre square is used, turned as its EXIF data say
  --codebook F        instead of --image: JSON with the picture's tokens, as encode-image --json prints them
${CANDIDATE_USAGE}`;

/**
 * Reads --image or --codebook, and --candidate; null when no picture is given.
 * @throws RudolphError `bad-input` when two are, or the file is unusable.
 */
export async function pictureOf(options: Options): Promise<PictureTokens | null> {
  const image = options.string('image');
  const codebook = options.string('codebook');
  if (image !== undefined && codebook !== undefined)
    throw new RudolphError('bad-input', '--image and --codebook exclude each other');
  if (codebook !== undefined) return (await readOnePicture(codebook, options)).tokens;
  if (options.string('candidate') !== undefined)
    throw new RudolphError('bad-input', '--candidate chooses among the pictures of --codebook: give that, too');
  return image === undefined ? null : readImage(image);
}

/** `pictureOf`, of a command that cannot do without. `what`: "the picture to describe". */
export async function requiredPicture(options: Options, what: string): Promise<PictureTokens> {
  const picture = await pictureOf(options);
  if (picture === null) throw new RudolphError('bad-input', `--image is missing: ${what}`);
  return picture;
}
