import { RudolphError } from '../src/errors';
import type { RgbaImage } from '../src/image/image';
import { resize } from '../src/image/resize';

/** The embedded model's world as `training/atlas.py` writes it (sprites.json): what a picture may hold and how it is told. */
export interface WorldDescription {
  /** Side of a picture, pixels. */
  readonly side: number;
  readonly kinds: readonly Kind[];
  /** Single scenes: size name → its side and where its places lie. */
  readonly sizes: Readonly<Record<string, SizeDescription>>;
  /** Pairs: sides and both sprites' centres for each relation of the first to the second. */
  readonly pairs: readonly {
    readonly pixels: number;
    readonly jitter: number;
    readonly centers: Readonly<Record<string, readonly [Point, Point]>>;
  }[];
  /** Place → phrases, the most common first. */
  readonly places: Readonly<Record<string, readonly string[]>>;
  readonly backgrounds: Readonly<Record<string, { readonly rgb: Rgb; readonly word: string }>>;
}

export type Point = readonly [x: number, y: number];
export type Rgb = readonly [red: number, green: number, blue: number];

export interface SizeDescription {
  readonly pixels: number;
  /** The largest distance from the nominal centre, along each axis, pixels. */
  readonly jitter: number;
  /** By gender; null: the size that goes without saying. */
  readonly words: Readonly<Record<string, string>> | null;
  readonly centers: Readonly<Record<string, Point>>;
}

export interface Name {
  readonly nominative: string;
  readonly genitive: string;
  readonly instrumental: string;
  readonly gender: string;
}

export interface Kind {
  readonly id: string;
  readonly names: readonly Name[];
  /** Where it lies in the atlas: left, top, width, height. */
  readonly rect: readonly [number, number, number, number];
}

/** A sprite scaled to a square. */
export interface Sprite {
  readonly side: number;
  /** (side, side, 3) 0…255, multiplied by alpha. */
  readonly colour: Float32Array;
  /** (side, side) 0…1 */
  readonly alpha: Float32Array;
}

/** The world with its pictures. */
export class World {
  readonly description: WorldDescription;
  readonly #atlas: RgbaImage;
  readonly #sprites = new Map<string, Sprite>();

  /** @param atlas sprites.png, straight alpha. @throws RudolphError `bad-input` when a sprite lies outside of it. */
  constructor(description: WorldDescription, atlas: RgbaImage) {
    for (const { id, rect } of description.kinds) {
      const [left, top, width, height] = rect;
      if (left + width > atlas.width || top + height > atlas.height) {
        throw new RudolphError(
          'bad-input',
          `sprite ${id} at [${rect.join(', ')}] lies outside the atlas of ${atlas.width}×${atlas.height}`,
        );
      }
    }
    this.description = description;
    this.#atlas = atlas;
  }

  get kinds(): readonly Kind[] {
    return this.description.kinds;
  }

  /** Index of a kind. @throws RudolphError `bad-input` for an unknown id. */
  kindOf(id: string): number {
    const index = this.kinds.findIndex((kind) => kind.id === id);
    if (index < 0) throw new RudolphError('bad-input', `there is no sprite ${id}`);
    return index;
  }

  /** A kind's sprite scaled to `side` pixels. */
  sprite(kind: number, side: number): Sprite {
    const key = `${kind} ${side}`;
    let sprite = this.#sprites.get(key);
    if (!sprite) this.#sprites.set(key, (sprite = this.#scale(kind, side)));
    return sprite;
  }

  #scale(kind: number, side: number): Sprite {
    const [left, top, width, height] = this.kinds[kind]!.rect;
    // Colours are multiplied by alpha first, so that scaling does not bleed the colours of transparent pixels.
    const colours = new Uint8ClampedArray(width * height * 4);
    const alphas = new Uint8ClampedArray(width * height * 4);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = ((top + y) * this.#atlas.width + left + x) * 4;
        const to = (y * width + x) * 4;
        const opacity = this.#atlas.data[from + 3]!;
        for (let c = 0; c < 3; c++) {
          colours[to + c] = (this.#atlas.data[from + c]! * opacity) / 255;
          alphas[to + c] = opacity;
        }
      }
    }
    const colour = resize({ width, height, data: colours }, side, side, 'bicubic').data;
    const alpha = resize({ width, height, data: alphas }, side, side, 'bicubic').data;
    return {
      side,
      colour: Float32Array.from({ length: side * side * 3 }, (_, i) => colour[Math.floor(i / 3) * 4 + (i % 3)]!),
      alpha: Float32Array.from({ length: side * side }, (_, i) => alpha[i * 4]! / 255),
    };
  }
}
