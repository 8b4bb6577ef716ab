import { RudolphError } from '../src/errors';
import type { RgbaImage } from '../src/image/image';
import { resize } from '../src/image/resize';

/** The embedded model's world as `training/atlas.py` writes it (world.json): what a picture may hold and how it is told. */
export interface WorldDescription {
  /** Side of a picture, pixels. */
  readonly side: number;
  /** How far from its nominal place a sprite still counts as placed there, pixels. */
  readonly tolerance: number;
  /** Least correlation of a sprite that counts as drawn. */
  readonly threshold: number;
  /** The grey value of the border around each sprite, 0…255. */
  readonly border: number;
  readonly kinds: readonly Kind[];
  /** Size of a scene (a single sprite's, or "pair", "count", "row", "text") → place → where its sprites lie. */
  readonly layouts: Readonly<Record<string, Readonly<Record<string, Arrangement>>>>;
  /** By size of a single sprite, then by gender. */
  readonly sizeWords: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Place of a single sprite → phrases, the most common first. */
  readonly placeWords: Readonly<Record<string, readonly string[]>>;
  /** Place of a count ("two") → the numeral by gender. */
  readonly countWords: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Plain ones have sky and ground alike. `words` is how a caption tells it: "на белом фоне", "утром". */
  readonly backgrounds: Readonly<Record<string, Background>>;
  /** The first row of the ground. */
  readonly horizon: number;
  readonly letters: LettersDescription;
}

export type Point = readonly [x: number, y: number];
export type Rgb = readonly [red: number, green: number, blue: number];

/** Sprites' sides and nominal centres, in their order; pixels. */
export interface Arrangement {
  readonly pixels: number;
  readonly centers: readonly Point[];
}

export interface Background {
  readonly sky: Rgb;
  readonly ground: Rgb;
  readonly words: string;
}

/** Writing: letters side by side, each in a cell, in the middle of a plate. */
export interface LettersDescription {
  /** In the order of letters.png. */
  readonly characters: string;
  /** Width and height, pixels. */
  readonly cell: Point;
  /** How much of the plate's light full ink takes, 0…1. */
  readonly ink: number;
  /** The plate's colour. */
  readonly plate: Rgb;
  /** Of the plate beside the letters, pixels. */
  readonly margin: number;
  /** Place of the text → the plate's top edge. */
  readonly tops: Readonly<Record<string, number>>;
}

export interface Name {
  readonly nominative: string;
  readonly genitive: string;
  readonly instrumental: string;
  readonly gender: string;
  /** Whether numerals go with its genitive. */
  readonly countable: boolean;
}

export interface Kind {
  readonly id: string;
  /** The last one is the everyday one. */
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
  readonly #letters: RgbaImage;
  readonly #sprites = new Map<string, Sprite>();

  /**
   * @param atlas sprites.png, straight alpha
   * @param letters letters.png: ink, 0…255, a font a row
   * @throws RudolphError `bad-input` when a sprite or a letter lies outside of its picture.
   */
  constructor(description: WorldDescription, atlas: RgbaImage, letters: RgbaImage) {
    for (const { id, rect } of description.kinds) {
      const [left, top, width, height] = rect;
      if (left + width > atlas.width || top + height > atlas.height) {
        throw new RudolphError(
          'bad-input',
          `sprite ${id} at [${rect.join(', ')}] lies outside the atlas of ${atlas.width}×${atlas.height}`,
        );
      }
    }
    const { characters, cell } = description.letters;
    if (letters.width !== characters.length * cell[0] || letters.height % cell[1] !== 0)
      throw new RudolphError(
        'bad-input',
        `letters of ${letters.width}×${letters.height} are not ${characters.length} a row`,
      );
    this.description = description;
    this.#atlas = atlas;
    this.#letters = letters;
  }

  get kinds(): readonly Kind[] {
    return this.description.kinds;
  }

  get fonts(): number {
    return this.#letters.height / this.description.letters.cell[1];
  }

  /** Index of a kind. @throws RudolphError `bad-input` for an unknown id. */
  kindOf(id: string): number {
    const index = this.kinds.findIndex((kind) => kind.id === id);
    if (index < 0) throw new RudolphError('bad-input', `there is no sprite ${id}`);
    return index;
  }

  /** Whether a background has no horizon. */
  isPlain(background: string): boolean {
    const { sky, ground } = this.description.backgrounds[background]!;
    return sky.every((value, c) => value === ground[c]);
  }

  /** A kind's sprite scaled to `side` pixels. */
  sprite(kind: number, side: number): Sprite {
    const key = `${kind} ${side}`;
    let sprite = this.#sprites.get(key);
    if (!sprite) this.#sprites.set(key, (sprite = this.#scale(kind, side)));
    return sprite;
  }

  /** How much ink each pixel of a letter's cell holds (height, width), 0…1. @throws RudolphError `bad-input` for an unknown letter or font. */
  letter(character: string, font: number): Float32Array {
    const { characters, cell } = this.description.letters;
    const [width, height] = cell;
    const column = characters.indexOf(character);
    if (column < 0 || !(font >= 0 && font < this.fonts))
      throw new RudolphError('bad-input', `there is no letter «${character}» of font ${font}`);
    return Float32Array.from({ length: width * height }, (_, i) => {
      const [x, y] = [column * width + (i % width), font * height + Math.floor(i / width)];
      return this.#letters.data[(y * this.#letters.width + x) * 4]! / 255;
    });
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
