import { sha256 } from '../src/format/sha256';
import type { RgbaImage } from '../src/image/image';
import type { Rgb, World } from './world';

export const LAYOUTS = ['single', 'pair', 'count', 'row', 'text'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** A scene, as training/heldout.json has them. */
export interface Scene {
  /** In the usual order, with nothing left out. */
  readonly caption: string;
  /** From left to right, from top to bottom. */
  readonly sprites: readonly {
    readonly id: string;
    /** left, top, width, height */
    readonly bbox: readonly [number, number, number, number];
  }[];
  /** Of a single sprite; otherwise the layout: "pair", "count", "row" or "text". */
  readonly size: string;
  /** Place of a single sprite; relation of a pair ("left-of", "above"); number ("two"); "between"; place of a text ("alone", "under"). */
  readonly place: string;
  readonly background: string;
  /** The exact shade of the background, or of the sky. */
  readonly rgb: Rgb;
  /** What is written. */
  readonly text?: string;
  readonly font?: number;
}

/** What is needed to judge a drawing or a caption of a scene. */
export type Judgeable = Pick<Scene, 'sprites' | 'size' | 'place' | 'background' | 'text'>;

export interface Question {
  /** what, background, where, how many, size, text */
  readonly topic: string;
  readonly question: string;
  /** All that are right. */
  readonly answers: readonly string[];
}

/** A line of sums that ends behind "=", and a question about the same fact. */
export interface Sum {
  /** Whether training sees the fact. */
  readonly seen: boolean;
  readonly begin: string;
  readonly result: string;
  readonly question: string;
  readonly answer: string;
}

/** What training never sees (but the sums marked as seen). */
export interface HeldOut {
  readonly scenes: readonly (Scene & { readonly questions: readonly Question[] })[];
  /** Questions about scenes that are told in words. */
  readonly texts: readonly Question[];
  readonly sums: readonly Sum[];
}

export function layoutOf({ size }: Pick<Scene, 'size'>): Layout {
  return LAYOUTS.find((layout) => layout === size) ?? 'single';
}

/** The picture of a scene: sky and ground, writing on its plate, sprites laid upon them. What lies beyond the edge is cut off. */
export function compose(
  world: World,
  scene: Pick<Scene, 'sprites' | 'rgb' | 'background' | 'place' | 'text' | 'font'>,
): RgbaImage {
  const { side, horizon, backgrounds } = world.description;
  const ground = world.isPlain(scene.background) ? scene.rgb : backgrounds[scene.background]!.ground;
  const data = new Uint8ClampedArray(side * side * 4);
  for (let p = 0; p < side * side; p++) data.set([...(p < horizon * side ? scene.rgb : ground), 255], p * 4);
  if (scene.text) write(world, data, scene.text, scene.font ?? 0, scene.place);
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

/** Left and top edges of a text's first letter. */
export function startOfText(world: World, text: string, place: string): readonly [number, number] {
  const { side, letters } = world.description;
  return [(side - text.length * letters.cell[0]) / 2, letters.tops[place]!];
}

function write(world: World, data: Uint8ClampedArray, text: string, font: number, place: string): void {
  const { side, letters } = world.description;
  const { cell, ink, plate, margin } = letters;
  const [left, top] = startOfText(world, text, place);
  for (let y = top; y < top + cell[1]; y++) {
    for (let x = left - margin; x < left + text.length * cell[0] + margin; x++) data.set(plate, (y * side + x) * 4);
  }
  [...text].forEach((character, i) =>
    world.letter(character, font).forEach((amount, p) => {
      const [x, y] = [left + i * cell[0] + (p % cell[0]), top + Math.floor(p / cell[0])];
      data.set(
        plate.map((value) => value * (1 - ink * amount)),
        (y * side + x) * 4,
      );
    }),
  );
}

/** So many of a list, from all along it. */
export function evenly<T>(list: readonly T[], count = list.length): T[] {
  const taken = Math.min(count, list.length);
  return Array.from({ length: taken }, (_, i) => list[Math.floor((i * list.length) / taken)]!);
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
 * Whether training never saw such a scene: the rules of training/scenes.py and words.py, which hold out a tenth of all
 * combinations (kind, place, background) of single sprites; of all ordered pairs of kinds; of (kind, number); of rows of three
 * kinds; of words in a font; and of numbers in any font.
 */
export async function isHeldOut(scene: Omit<Scene, 'caption' | 'rgb'>): Promise<boolean> {
  const ids = scene.sprites.map((sprite) => sprite.id);
  const { text = '', font = 0, place } = scene;
  const keys: Record<Layout, () => readonly string[]> = {
    single: () => ['single-v1', ids[0]!, place, scene.background],
    pair: () => ['pair-v1', ...ids],
    count: () => ['count-v1', ids[0]!, place],
    row: () => ['row-v1', ...ids],
    text: () => (/^\d+$/.test(text) ? ['number-v2', text] : ['word-v2', text, String(font)]),
  };
  return isTenth(keys[layoutOf(scene)]());
}

/** Whether training never saw a sum, e.g. "3+4". */
export function isHeldOutSum(sum: string): Promise<boolean> {
  return isTenth(['sum-v1', sum]);
}

async function isTenth(key: readonly string[]): Promise<boolean> {
  const hash = await sha256(new TextEncoder().encode(key.join('|')));
  return Number.parseInt(hash.slice(0, 2), 16) * 10 < 256;
}

/** A random single scene of the held-out kind, with the caption that leaves nothing out. */
export async function randomHeldOutSingle(world: World, random: () => number): Promise<Scene> {
  const { kinds, layouts, sizeWords, placeWords, backgrounds } = world.description;
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  for (;;) {
    const kind = pick(kinds);
    const [size, words] = pick(Object.entries(sizeWords));
    const [place, phrases] = pick(Object.entries(placeWords));
    const [background, { sky, words: onBackground }] = pick(Object.entries(backgrounds));
    const { pixels, centers } = layouts[size]![place]!;
    const [left, top] = centers[0]!.map((centre) => centre - pixels / 2);
    const { nominative, gender } = pick(kind.names);
    const scene: Scene = {
      caption: [words[gender], nominative, phrases[0], onBackground].join(' '),
      sprites: [{ id: kind.id, bbox: [left!, top!, pixels, pixels] }],
      size,
      place,
      background,
      rgb: sky,
    };
    if (await isHeldOut(scene)) return scene;
  }
}
