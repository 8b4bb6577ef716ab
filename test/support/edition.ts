import { readWorld } from '../../eval/files';
import type { World } from '../../eval/world';

/** The shipped edition was trained on so many kinds, the world's first, one or two a scene, on plain backgrounds. */
const KNOWN_KINDS = 72;

/** The world as far as the shipped edition knows it: by no more it is judged. */
export async function readKnownWorld(): Promise<World> {
  return readWorld(undefined, (description) => ({
    ...description,
    kinds: description.kinds.slice(0, KNOWN_KINDS),
    backgrounds: Object.fromEntries(
      Object.entries(description.backgrounds).filter(([, { sky, ground }]) => sky.every((v, c) => v === ground[c])),
    ),
  }));
}
