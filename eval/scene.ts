import { sha256 } from '../src/format/sha256';
import type { RgbaImage } from '../src/image/image';
import type { Rgb, World } from './world';

/** A scene with its caption, as training/heldout.json has them. */
export interface Scene {
  readonly caption: string;
  /** One, or two: the left or upper one first. */
  readonly sprites: readonly {
    readonly id: string;
    /** left, top, width, height */
    readonly bbox: readonly [number, number, number, number];
  }[];
  /** Name of a size; "pair" for two sprites. */
  readonly size: string;
  /** Place of a single sprite; relation of the first of two sprites to the second ("left-of", "above"). */
  readonly place: string;
  readonly background: string;
  /** The background's exact shade. */
  readonly rgb: Rgb;
}

/** The picture of a scene: sprites laid on the background. */
export function compose(world: World, scene: Pick<Scene, 'sprites' | 'rgb'>): RgbaImage {
  const { side } = world.description;
  const data = new Uint8ClampedArray(side * side * 4);
  for (let p = 0; p < side * side; p++) data.set([...scene.rgb, 255], p * 4);
  for (const { id, bbox } of scene.sprites) {
    const [left, top, size] = bbox;
    const { colour, alpha } = world.sprite(world.kindOf(id), size);
    for (let y = Math.max(0, -top); y < Math.min(size, side - top); y++) {
      for (let x = Math.max(0, -left); x < Math.min(size, side - left); x++) {
        const to = ((top + y) * side + left + x) * 4;
        const from = y * size + x;
        for (let c = 0; c < 3; c++) data[to + c] = data[to + c]! * (1 - alpha[from]!) + colour[from * 3 + c]!;
      }
    }
  }
  return { width: side, height: side, data };
}

/** Numbers in 0…1 that repeat for a seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Whether training never saw such a scene: the rule of training/scenes.py, which holds out a tenth of all combinations
 * (kind, place, background) of single sprites, and of all ordered pairs of kinds, whatever their relation and background.
 */
export async function isHeldOut(scene: Pick<Scene, 'sprites' | 'place' | 'background'>): Promise<boolean> {
  const ids = scene.sprites.map((sprite) => sprite.id);
  const key = ids.length === 1 ? ['single-v1', ids[0], scene.place, scene.background] : ['pair-v1', ...ids];
  const hash = await sha256(new TextEncoder().encode(key.join('|')));
  return Number.parseInt(hash.slice(0, 2), 16) * 10 < 256;
}

/** A random single scene of the held-out kind, with the caption that leaves nothing out. */
export async function randomHeldOutSingle(world: World, random: () => number): Promise<Scene> {
  const { kinds, sizes, places, backgrounds } = world.description;
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  for (;;) {
    const kind = pick(kinds);
    const [size, { pixels, jitter, centers, words }] = pick(Object.entries(sizes));
    const [place, phrases] = pick(Object.entries(places));
    const [background, { rgb, word }] = pick(Object.entries(backgrounds));
    const [x, y] = centers[place]!;
    const moved = (centre: number): number => centre - pixels / 2 + pick([-jitter, 0, 0, 0, jitter]);
    const { nominative, gender } = pick(kind.names);
    const scene: Scene = {
      caption: [words?.[gender], nominative, phrases[0], `на ${word} фоне`].filter(Boolean).join(' '),
      sprites: [{ id: kind.id, bbox: [moved(x), moved(y), pixels, pixels] }],
      size,
      place,
      background,
      rgb,
    };
    if (await isHeldOut(scene)) return scene;
  }
}
