import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readImage } from '../cli/support/images';
import type { Scene } from './scene';
import { World, type WorldDescription } from './world';

/** Where the embedded model's world lies, from the package's root. */
export const WORLD_FOLDER = 'test/fixtures/world';

/** Reads sprites.json and sprites.png (`python -m training.atlas`). */
export async function readWorld(folder = WORLD_FOLDER): Promise<World> {
  const description = JSON.parse(await readFile(join(folder, 'sprites.json'), 'utf8')) as WorldDescription;
  return new World(description, await readImage(join(folder, 'sprites.png')));
}

/** Reads the held-out scenes (`python -m training.heldout`): 100 single ones, then 100 pairs. */
export async function readHeldOut(folder = WORLD_FOLDER): Promise<Scene[]> {
  return JSON.parse(await readFile(join(folder, 'heldout.json'), 'utf8')) as Scene[];
}
