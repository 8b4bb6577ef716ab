import { RudolphError } from '../src/errors';
import type { RgbaImage } from '../src/image/image';
import type { Scene } from './scene';
import type { Point, Rgb, World } from './world';

/** Least correlation of a sprite that counts as drawn: half of what is there must be the sprite, in the sense of energy. */
const THRESHOLD = 0.5;
/** Positions are searched this many pixels beyond the world's own jitter: first in coarse, then in fine steps. */
const GRACE = 2;
const COARSE = 4;
const FINE = 2;
/** So many kinds, the best of all in the coarse search, are searched finely. */
const FINALISTS = 8;
const BORDER = 4;

export interface DrawingVerdict {
  /** At each stated place the right kind wins among all kinds, and is clear enough. */
  readonly sprites: boolean;
  /** Each expected kind is found better at its stated place than at any other place of the world. */
  readonly places: boolean;
  /** A stated size wins over the other sizes. True where none is stated. */
  readonly sizes: boolean;
  readonly background: boolean;
  readonly all: boolean;
  /** For messages: per expected sprite the winner, its correlation, and that of the expected kind. */
  readonly found: readonly { readonly id: string; readonly correlation: number; readonly expected: number }[];
  readonly backgroundFound: string;
}

/** One way to compose a sprite: its side, its nominal centre, and how far from there it may lie. */
interface Slot {
  readonly pixels: number;
  readonly centre: Point;
  readonly jitter: number;
}

/** A picture less its background, with room around it. */
interface Difference {
  readonly background: Rgb;
  /** Pixels from one row to the next; the picture begins at (padding, padding). */
  readonly stride: number;
  readonly padding: number;
  /** (stride, stride, 3) */
  readonly values: Float32Array;
}

/** The median of each channel over the border, `BORDER` pixels wide. */
export function borderColour(image: RgbaImage): Rgb {
  const channels: number[][] = [[], [], []];
  const inside = (v: number, side: number): boolean => v >= BORDER && v < side - BORDER;
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      if (inside(x, image.width) && inside(y, image.height)) continue;
      channels.forEach((values, c) => values.push(image.data[(y * image.width + x) * 4 + c]!));
    }
  }
  return channels.map((values) => values.sort((a, b) => a - b)[values.length >> 1]!) as unknown as Rgb;
}

/** The named background nearest to a colour. */
export function backgroundName(world: World, colour: Rgb): string {
  const distance = ([, { rgb }]: [string, { readonly rgb: Rgb }]): number =>
    rgb.reduce((sum, v, c) => sum + (v - colour[c]!) ** 2, 0);
  return Object.entries(world.description.backgrounds).reduce((best, next) =>
    distance(next) < distance(best) ? next : best,
  )[0];
}

/**
 * Judges a drawing by normalised cross-correlation in RGB: every kind of the world is composed at the stated place, at all
 * positions and sizes that the world knows there, on the picture's own background (the border's median colour, so that a
 * wrong background does not count twice), and compared with the picture. Knows nothing of the model.
 *
 * A single sprite is compared with the whole picture, so that anything else in it counts against it; of two sprites each
 * with its own part of the picture. All kinds are searched in coarse steps, the best of them then in fine ones.
 * @throws RudolphError `bad-input` for a picture of another size.
 */
export function judgeDrawing(world: World, image: RgbaImage, scene: Omit<Scene, 'caption' | 'rgb'>): DrawingVerdict {
  const { side, sizes, pairs } = world.description;
  if (image.width !== side || image.height !== side) {
    throw new RudolphError('bad-input', `the drawing is ${image.width}×${image.height}, scenes are ${side}×${side}`);
  }
  const picture = difference(image);
  const expected = scene.sprites.map((sprite) => world.kindOf(sprite.id));
  const all = Object.entries(sizes);
  const stated = sizes[scene.size]?.words ? [scene.size] : Object.keys(sizes); // nobody says "medium": any size is then right
  /** Per expected sprite: place → ways to compose it there. */
  const slots = (index: number): Map<string, Slot[]> => {
    if (expected.length === 1) {
      return new Map(
        Object.keys(world.description.places).map((place) => [
          place,
          all.map(([, size]) => slotOf(size, size.centers[place]!)),
        ]),
      );
    }
    const both = Object.keys(pairs[0]!.centers).flatMap((relation) => [0, 1].map((which) => ({ relation, which })));
    return new Map(
      both.map(({ relation, which }) => [
        `${relation} ${which === index ? 'as stated' : 'swapped'}`,
        pairs.map((pair) => slotOf(pair, pair.centers[relation]![which]!)),
      ]),
    );
  };

  const verdicts = expected.map((kind, index) => {
    const places = slots(index);
    const place = expected.length === 1 ? scene.place : `${scene.place} as stated`;
    const here =
      expected.length === 1
        ? stated.map((size) => slotOf(sizes[size]!, sizes[size]!.centers[scene.place]!))
        : places.get(place)!;
    const windowOf = (ways: readonly Slot[]): Window =>
      expected.length === 1 ? [0, 0, side, side] : around(ways, side);
    const correlationOf = (other: number, ways: readonly Slot[], step = FINE): number =>
      best(world, picture, other, ways, windowOf(ways), step);
    const coarse = world.kinds.map((_, other) => correlationOf(other, here, COARSE));
    const finalists = coarse
      .map((_, other) => other)
      .sort((a, b) => coarse[b]! - coarse[a]!)
      .slice(0, FINALISTS);
    const correlations = new Map(
      [...new Set([kind, ...finalists])].map((other) => [other, correlationOf(other, here)]),
    );
    const winner = largest(correlations);
    const placed = largest(new Map([...places].map(([name, ways]) => [name, correlationOf(kind, ways)])));
    const sized =
      expected.length === 1 &&
      largest(
        new Map(all.map(([name, size]) => [name, correlationOf(kind, [slotOf(size, size.centers[scene.place]!)])])),
      );
    return {
      right: winner === kind && correlations.get(kind)! >= THRESHOLD,
      placed: placed === place,
      sized: sized === false || stated.includes(sized),
      found: { id: world.kinds[winner]!.id, correlation: correlations.get(winner)!, expected: correlations.get(kind)! },
    };
  });

  const backgroundFound = backgroundName(world, picture.background);
  const sprites = verdicts.every((verdict) => verdict.right);
  const places = verdicts.every((verdict) => verdict.placed);
  const sized = verdicts.every((verdict) => verdict.sized);
  const background = backgroundFound === scene.background;
  return {
    sprites,
    places,
    sizes: sized,
    background,
    all: sprites && places && sized && background,
    found: verdicts.map((verdict) => verdict.found),
    backgroundFound,
  };
}

/** The key of the largest value. */
function largest<K>(values: ReadonlyMap<K, number>): K {
  return [...values].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}

function slotOf({ pixels, jitter }: { readonly pixels: number; readonly jitter: number }, centre: Point): Slot {
  return { pixels, jitter, centre };
}

function difference(image: RgbaImage): Difference {
  const { width: side } = image;
  const padding = 16; // a sprite may lie up to here beyond the edge
  const stride = side + 2 * padding;
  const background = borderColour(image);
  const values = new Float32Array(stride * stride * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const to = ((y + padding) * stride + x + padding) * 3;
      for (let c = 0; c < 3; c++) values[to + c] = image.data[(y * side + x) * 4 + c]! - background[c]!;
    }
  }
  return { background, stride, padding, values };
}

/** left, top, right, bottom; right and bottom excluded. */
type Window = readonly [number, number, number, number];

/** What the sprites of some slots may cover. */
function around(slots: readonly Slot[], side: number): Window {
  const reach = ({ pixels, jitter }: Slot): number => pixels / 2 + jitter + GRACE;
  return [
    Math.max(0, Math.min(...slots.map((slot) => slot.centre[0] - reach(slot)))),
    Math.max(0, Math.min(...slots.map((slot) => slot.centre[1] - reach(slot)))),
    Math.min(side, Math.max(...slots.map((slot) => slot.centre[0] + reach(slot)))),
    Math.min(side, Math.max(...slots.map((slot) => slot.centre[1] + reach(slot)))),
  ];
}

function energy({ values, stride, padding }: Difference, [left, top, right, bottom]: Window): number {
  let sum = 0;
  for (let y = top; y < bottom; y++) {
    const row = ((y + padding) * stride + padding) * 3;
    for (let i = row + left * 3; i < row + right * 3; i++) sum += values[i]! ** 2;
  }
  return sum;
}

/** The best correlation, −1…1, of a kind composed in any of the slots' ways with the picture in the window. */
function best(
  world: World,
  picture: Difference,
  kind: number,
  slots: readonly Slot[],
  window: Window,
  step: number,
): number {
  const length = Math.sqrt(Math.max(energy(picture, window), 1));
  let highest = -1;
  for (const { pixels, centre, jitter } of slots) {
    const { template, norm } = templateOf(world, picture, kind, pixels);
    // The coarse search meets the nominal place itself; the grace is only for the fine one.
    const reach = Math.floor((jitter + GRACE) / step) * step;
    for (let dy = -reach; dy <= reach; dy += step) {
      for (let dx = -reach; dx <= reach; dx += step) {
        const product = dot(picture, template, pixels, centre[0] - pixels / 2 + dx, centre[1] - pixels / 2 + dy);
        highest = Math.max(highest, product / (length * norm));
      }
    }
  }
  return highest;
}

const templates = new WeakMap<Difference, Map<string, { readonly template: Float32Array; readonly norm: number }>>();

/** A composed sprite less the picture's background: (side, side, 3). */
function templateOf(
  world: World,
  picture: Difference,
  kind: number,
  side: number,
): { readonly template: Float32Array; readonly norm: number } {
  let known = templates.get(picture);
  if (!known) templates.set(picture, (known = new Map()));
  const key = `${kind} ${side}`;
  let entry = known.get(key);
  if (!entry) {
    const { colour, alpha } = world.sprite(kind, side);
    const template = new Float32Array(colour.length);
    let sum = 0;
    for (let i = 0, p = 0; p < alpha.length; p++) {
      for (let c = 0; c < 3; c++, i++) {
        template[i] = colour[i]! - alpha[p]! * picture.background[c]!;
        sum += template[i]! ** 2;
      }
    }
    known.set(key, (entry = { template, norm: Math.sqrt(Math.max(sum, 1)) }));
  }
  return entry;
}

function dot(
  { values, stride, padding }: Difference,
  template: Float32Array,
  side: number,
  left: number,
  top: number,
): number {
  let sum = 0;
  for (let y = 0; y < side; y++) {
    let at = ((top + y + padding) * stride + left + padding) * 3;
    for (let i = y * side * 3; i < (y + 1) * side * 3; i++, at++) sum += template[i]! * values[at]!;
  }
  return sum;
}
