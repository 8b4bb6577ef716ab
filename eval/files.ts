import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readImage } from '../cli/support/images';
import type { HeldOut } from './scene';
import { World, type WorldDescription } from './world';

/** Where the embedded model's world lies, from the package's root. */
export const WORLD_FOLDER = 'test/fixtures/world';

/** Reads world.json, sprites.png and letters.png (`python -m training.atlas`). */
export async function readWorld(folder = WORLD_FOLDER): Promise<World> {
  const description = JSON.parse(await readFile(join(folder, 'world.json'), 'utf8')) as WorldDescription;
  const [sprites, letters] = await Promise.all(
    ['sprites.png', 'letters.png'].map((name) => readImage(join(folder, name))),
  );
  return new World(description, sprites!, letters!);
}

/** Reads what training never sees (`python -m training.heldout`). */
export async function readHeldOut(folder = WORLD_FOLDER): Promise<HeldOut> {
  return JSON.parse(await readFile(join(folder, 'heldout.json'), 'utf8')) as HeldOut;
}
