import { RudolphError } from '../src/errors';
import type { RgbaImage } from '../src/image/image';
import { layoutOf, startOfText, type Judgeable } from './scene';
import type { Point, Rgb, World } from './world';

/** Positions are searched in coarse steps, and for the best kinds in single pixels; other places in middling ones. */
const COARSE = 4;
const MIDDLING = 2;
const FINALISTS = 8;
const BORDER = 4;
/** This share of what is not background may lie where no sprite or plate is asked for. */
const STRAY = 0.15;
/** But a picture counts as having so much of it at least, or the noise around a faint sprite would weigh too much: a small sprite's, twice. */
const LEAST_ENERGY = 2e7;

export interface DrawingVerdict {
  /** At each stated place the right kind wins among all kinds, and is clear enough. */
  readonly sprites: boolean;
  /** One sprite fits nowhere better than at its place, and in no size better than in its own. */
  readonly placed: boolean;
  /** What the scene has is all there is. Tightens `all` only. */
  readonly alone: boolean;
  readonly background: boolean;
  /** Each letter is the likest of all letters in its place; true where nothing is to be written. */
  readonly text: boolean;
  /** The right sprites at the right places, and the right writing: the measure of the table. */
  readonly content: boolean;
  readonly all: boolean;
  /** For messages: per expected sprite the winner, its correlation, and that of the expected kind. */
  readonly found: readonly { readonly id: string; readonly correlation: number; readonly expected: number }[];
  readonly backgroundFound: string;
}

/** Where a sprite belongs: its side and its nominal centre. */
interface Slot {
  readonly pixels: number;
  readonly centre: Point;
}

/** A picture less its background, and less the white of the sprites' borders, with room around it. */
interface Difference {
  readonly sky: Rgb;
  readonly ground: Rgb;
  /** Pixels from one row to the next; the picture begins at (padding, padding). */
  readonly stride: number;
  readonly padding: number;
  /** Less the background: (stride, stride, 3) */
  readonly values: Float32Array;
  /** Less the borders' white, likewise. */
  readonly inside: Float32Array;
}

/**
 * Judges a drawing by normalised cross-correlation in RGB: every kind of the world is composed around the stated place, at
 * all positions within the world's tolerance, on the picture's own background (so that a wrong background does not count
 * twice), and compared with that part of the picture, as a whole and inside of its outline (`best`). Knows nothing of the model.
 * training/matcher.py judges sprites alike.
 * @throws RudolphError `bad-input` for a picture of another size.
 */
export function judgeDrawing(world: World, image: RgbaImage, scene: Judgeable): DrawingVerdict {
  const { side, threshold, backgrounds, tolerance } = world.description;
  if (image.width !== side || image.height !== side) {
    throw new RudolphError('bad-input', `the drawing is ${image.width}×${image.height}, scenes are ${side}×${side}`);
  }
  const picture = difference(world, image);
  const slots = slotsOf(world, scene);
  const found = scene.sprites.map(({ id }, i) => {
    const kind = world.kindOf(id);
    const correlation = (other: number, step: number): number => best(world, picture, other, slots[i]!, step);
    const coarse = world.kinds.map((_, other) => correlation(other, COARSE));
    const finalists = coarse
      .map((_, other) => other)
      .sort((a, b) => coarse[b]! - coarse[a]!)
      .slice(0, FINALISTS);
    const fine = new Map([...new Set([kind, ...finalists])].map((other) => [other, correlation(other, 1)]));
    const [winner, most] = [...fine].reduce((a, b) => (b[1] > a[1] ? b : a));
    return { id: world.kinds[winner]!.id, correlation: most, expected: fine.get(kind)! };
  });
  const windows: Window[] = slots.map(({ pixels, centre: [x, y] }) => {
    const reach = pixels / 2 + tolerance;
    return [x - reach, y - reach, x + reach, y + reach];
  });
  if (scene.text) windows.push(plateOf(world, scene.text, scene.place));

  const sprites = found.every(({ id, correlation }, i) => id === scene.sprites[i]!.id && correlation >= threshold);
  const alone = strayEnergy(picture, side, windows) <= STRAY;
  const text = !scene.text || isWritten(world, image, scene.text, scene.place);
  const backgroundFound = Object.keys(backgrounds).reduce((a, b) =>
    distance(world, picture, b) < distance(world, picture, a) ? b : a,
  );
  const background = backgroundFound === scene.background;
  const placed = layoutOf(scene) !== 'single' || isPlaced(world, picture, scene, slots[0]!);
  const content = sprites && placed && text;
  const all = content && alone && background;
  return { sprites, placed, alone, background, text, content, all, found, backgroundFound };
}

/** Where each sprite belongs. */
function slotsOf(world: World, scene: Judgeable): Slot[] {
  const { pixels, centers } = world.description.layouts[scene.size]![scene.place]!;
  return centers.map((centre) => ({ pixels, centre }));
}

/** Whether a single sprite fits its slot at least as well as any other place and size of the world. */
function isPlaced(world: World, picture: Difference, scene: Judgeable, here: Slot): boolean {
  const kind = world.kindOf(scene.sprites[0]!.id);
  const { layouts, sizeWords } = world.description;
  const fit = (slot: Slot): number => best(world, picture, kind, slot, MIDDLING);
  const all = Object.keys(sizeWords).flatMap((size) =>
    Object.values(layouts[size]!).map(({ pixels, centers }) => ({ pixels, centre: centers[0]! })),
  );
  return fit(here) >= Math.max(...all.map(fit));
}

/** The medians of a picture's border, `BORDER` pixels wide, above the horizon and below it. */
function grounds({ width: side, data }: RgbaImage, horizon: number): readonly [Rgb, Rgb] {
  const channels = [0, 1].map((): number[][] => [[], [], []]);
  const inside = (v: number): boolean => v >= BORDER && v < side - BORDER;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (!(inside(x) && inside(y)))
        channels[y < horizon ? 0 : 1]!.forEach((values, c) => values.push(data[(y * side + x) * 4 + c]!));
    }
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
  return channels.map((part) => part.map(median)) as unknown as readonly [Rgb, Rgb];
}

/** Of a picture's sky and ground to those of a background: squares of the differences. */
function distance(world: World, { sky, ground }: Difference, background: string): number {
  const expected = world.description.backgrounds[background]!;
  const squares = (a: Rgb, b: Rgb): number => a.reduce((sum, v, c) => sum + (v - b[c]!) ** 2, 0);
  return squares(sky, expected.sky) + squares(ground, expected.ground);
}

function difference(world: World, image: RgbaImage): Difference {
  const { side, horizon, tolerance } = world.description;
  const padding = 16 + tolerance; // so far a sprite's window may lie beyond the edge
  const stride = side + 2 * padding;
  const [sky, ground] = grounds(image, horizon);
  const values = new Float32Array(stride * stride * 3);
  const inside = new Float32Array(values.length);
  for (let y = 0; y < side; y++) {
    const behind = y < horizon ? sky : ground;
    for (let x = 0; x < side; x++) {
      const to = ((y + padding) * stride + x + padding) * 3;
      for (let c = 0; c < 3; c++) {
        const value = image.data[(y * side + x) * 4 + c]!;
        values[to + c] = value - behind[c]!;
        inside[to + c] = value - world.description.border;
      }
    }
  }
  return { sky, ground, stride, padding, values, inside };
}

/** left, top, right, bottom; right and bottom excluded. */
type Window = readonly [number, number, number, number];

function energyAt({ values, stride, padding }: Difference, x: number, y: number): number {
  const at = ((y + padding) * stride + x + padding) * 3;
  return values[at]! ** 2 + values[at + 1]! ** 2 + values[at + 2]! ** 2;
}

/** Which share of a picture's energy lies outside of some windows, 0…1. */
function strayEnergy(picture: Difference, side: number, windows: readonly Window[]): number {
  let [all, outside] = [0, 0];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const energy = energyAt(picture, x, y);
      all += energy;
      if (!windows.some(([left, top, right, bottom]) => x >= left && x < right && y >= top && y < bottom))
        outside += energy;
    }
  }
  return outside / Math.max(all, LEAST_ENERGY);
}

/**
 * How well a kind composed around a slot fits that part of the picture, −1…1: the normalised correlation of the whole square less the
 * background, and of what lies inside the outline less the white of the sprite's border, which otherwise would count most on dark
 * backgrounds: the mean of both.
 */
function best(world: World, picture: Difference, kind: number, { pixels, centre }: Slot, step: number): number {
  const template = templateOf(world, picture, kind, { pixels, centre });
  const reach = Math.floor(world.description.tolerance / step) * step; // the coarse search meets the nominal place itself
  let highest = -1;
  for (let dy = -reach; dy <= reach; dy += step) {
    for (let dx = -reach; dx <= reach; dx += step) {
      highest = Math.max(
        highest,
        likeness(picture, template, pixels, centre[0] - pixels / 2 + dx, centre[1] - pixels / 2 + dy),
      );
    }
  }
  return highest;
}

/** A composed sprite, (side, side, 3), and lengths. `mask` (side, side) is 1 inside of the outline. */
interface Template {
  /** Less the background that it hides at the nominal place. */
  readonly whole: Float32Array;
  readonly wholeNorm: number;
  /** Less the white of its border. */
  readonly inside: Float32Array;
  readonly insideNorm: number;
  readonly mask: Uint8Array;
}

const templates = new WeakMap<Difference, Map<string, Template>>();
/** Square of the least length that counts, so that noise is no likeness. */
const LEAST = 64;

function templateOf(world: World, picture: Difference, kind: number, { pixels, centre }: Slot): Template {
  let known = templates.get(picture);
  if (!known) templates.set(picture, (known = new Map()));
  const top = centre[1] - pixels / 2;
  const key = `${kind} ${pixels} ${top}`;
  let entry = known.get(key);
  if (!entry) {
    const { colour, alpha } = world.sprite(kind, pixels);
    const { horizon, border } = world.description;
    const whole = new Float32Array(colour.length);
    const inside = new Float32Array(colour.length);
    for (let i = 0, p = 0; p < alpha.length; p++) {
      const behind = top + Math.floor(p / pixels) < horizon ? picture.sky : picture.ground;
      for (let c = 0; c < 3; c++, i++) {
        whole[i] = colour[i]! - alpha[p]! * behind[c]!;
        inside[i] = colour[i]! - alpha[p]! * border;
      }
    }
    const mask = Uint8Array.from(alpha, (a) => (a > 0.5 ? 1 : 0));
    known.set(key, (entry = { whole, wholeNorm: length(whole), inside, insideNorm: length(inside), mask }));
  }
  return entry;
}

function length(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(Math.max(sum, LEAST));
}

/** Of a template with the picture from (left, top) on. */
function likeness(picture: Difference, template: Template, side: number, left: number, top: number): number {
  const offset = (left + picture.padding) * 3;
  const cosine = (values: Float32Array, shape: Float32Array, norm: number, mask: Uint8Array | null): number => {
    let [product, energy] = [0, 0];
    for (let y = 0, p = 0, i = 0; y < side; y++) {
      let at = (top + y + picture.padding) * picture.stride * 3 + offset;
      for (let x = 0; x < side; x++, p++) {
        const counts = mask ? mask[p]! : 1;
        for (let c = 0; c < 3; c++, i++, at++) {
          const value = values[at]!;
          product += shape[i]! * value;
          energy += counts * value * value;
        }
      }
    }
    return product / (norm * Math.sqrt(Math.max(energy, LEAST)));
  };
  const whole = cosine(picture.values, template.whole, template.wholeNorm, null);
  return (whole + cosine(picture.inside, template.inside, template.insideNorm, template.mask)) / 2;
}

function plateOf(world: World, text: string, place: string): Window {
  const { cell, margin } = world.description.letters;
  const [left, top] = startOfText(world, text, place);
  return [left - margin, top, left + text.length * cell[0] + margin, top + cell[1]];
}

/** Whether in each cell the right letter, in any font, correlates best with the darkness, and well enough. */
function isWritten(world: World, image: RgbaImage, text: string, place: string): boolean {
  const { threshold, letters } = world.description;
  const { cell, characters } = letters;
  const [left, top] = startOfText(world, text, place);
  const fonts = Array.from({ length: world.fonts }, (_, font) => font);
  return [...text].every((expected, i) => {
    const dark = Float32Array.from({ length: cell[0] * cell[1] }, (_, p) => {
      const [x, y] = [left + i * cell[0] + (p % cell[0]), top + Math.floor(p / cell[0])];
      const at = (y * image.width + x) * 4;
      return 255 - (image.data[at]! + image.data[at + 1]! + image.data[at + 2]!) / 3;
    });
    const likeness = (letter: string): number =>
      Math.max(...fonts.map((font) => correlation(dark, world.letter(letter, font))));
    const [winner, most] = [...characters]
      .map((letter): [string, number] => [letter, likeness(letter)])
      .reduce((a, b) => (b[1] > a[1] ? b : a));
    return winner === expected && most >= threshold;
  });
}

/** Pearson's, −1…1. */
function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [product, energyA, energyB] = [0, 1e-3, 1e-3];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - meanA, b[i]! - meanB];
    product += x * y;
    energyA += x * x;
    energyB += y * y;
  }
  return product / Math.sqrt(energyA * energyB);
}
