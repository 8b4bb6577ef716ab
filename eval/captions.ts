import { layoutOf, type Judgeable } from './scene';
import type { Name, World } from './world';

/** What a caption says, each part compared with the scene; null where it says nothing of it. */
export interface CaptionVerdict {
  /** It names the right kinds, by any of their names, and no others. */
  readonly sprites: boolean;
  /** Where one sprite is; who of two is where; how many there are; who is between whom; what stands over the writing. */
  readonly position: boolean | null;
  /** Of one sprite. */
  readonly size: boolean | null;
  readonly background: boolean | null;
  /** What is written. */
  readonly text: boolean | null;
  /** The sentence is one of those that may be said of the scene, complete or not: see `trueCaptions`. */
  readonly true: boolean;
  /** It is true and tells position and background: the measure of the table. */
  readonly whole: boolean;
}

/** Judges a caption by its words, with or without the template before it; ё and е count as the same. */
export function judgeCaption(
  world: World,
  caption: string,
  scene: Judgeable,
  template = 'на картинке',
): CaptionVerdict {
  const { backgrounds } = world.description;
  const said = plainText(caption);
  const plain = said.startsWith(template) ? said.slice(template.length).trim() : said;
  const [, written] = /(?:^| )(?:слово|число|словом|числом) (\S+)/.exec(plain) ?? [];
  const expected = scene.sprites.map((sprite) => world.kindOf(sprite.id));
  // A name becomes the number of its sprite in the scene (x: none of them), what is written TEXT: a written name names nothing.
  const words = plain.replace(/(^| )(?:слово|число|словом|числом) \S+/, '$1TEXT').split(' ');
  const mentions: number[][] = [];
  const marked: string[] = [];
  for (let start = 0; start < words.length;) {
    const { kinds, length } = longestName(world, words.slice(start));
    if (length > 0) mentions.push(kinds);
    const index = expected.findIndex((kind) => kinds.includes(kind));
    marked.push(length === 0 ? words[start]! : index < 0 ? 'x' : String(index));
    start += length || 1;
  }
  const rest = marked.join(' ');
  const says = (phrase: string): boolean => ` ${rest} `.includes(` ${plainText(phrase)} `);

  const different = [...new Set(expected)];
  const sprites =
    mentions.length === different.length && different.every((kind) => mentions.some((kinds) => kinds.includes(kind)));
  const grounds = Object.entries(backgrounds).filter(([, { words }]) => says(words));
  const background = stated(
    grounds.map(([name]) => name),
    scene.background,
  );
  const text = written === undefined && !scene.text ? null : written === plainText(scene.text ?? '');
  const body = grounds.reduce((left, [, { words }]) => left.replace(plainText(words), ''), rest).trim();
  const single = layoutOf(scene) === 'single';
  const position = single ? placeSaid(world, says, scene.place) : formSaid(world, body, scene.place);
  const sizes = Object.entries(world.description.sizeWords).filter(([, forms]) => Object.values(forms).some(says));
  const size = single
    ? stated(
        sizes.map(([name]) => name),
        scene.size,
      )
    : null;
  const isTrue = trueCaptions(world, scene).has(plain);
  return {
    sprites,
    position,
    size,
    background,
    text,
    true: isTrue,
    whole: isTrue && position === true && background === true,
  };
}

/** Every caption that may be said of a scene, complete or not, as `plainText`. */
export function trueCaptions(world: World, scene: Judgeable): Set<string> {
  const { backgrounds, sizeWords, placeWords, countWords } = world.description;
  const names = scene.sprites.map(({ id }) => world.kinds[world.kindOf(id)]!.names);
  const [first = [], second = [], third = []] = names;
  const tail = backgrounds[scene.background]!.words;
  const found: string[] = [];
  const layout = layoutOf(scene);
  if (layout === 'single') {
    for (const { nominative, gender } of first) {
      for (const size of ['', sizeWords[scene.size]![gender]!]) {
        for (const place of ['', ...placeWords[scene.place]!]) {
          for (const ground of ['', tail])
            found.push(`${size} ${nominative} ${place} ${ground}`, `${place} ${size} ${nominative} ${ground}`);
          found.push(`${tail} ${size} ${nominative} ${place}`);
        }
      }
    }
    return new Set(found.map(plainText));
  }
  const bodies: Record<Exclude<typeof layout, 'single'>, () => readonly string[]> = {
    pair: () => first.flatMap((a) => second.flatMap((b) => pairCaptions(a, b, scene.place))),
    count: () =>
      first.filter((name) => name.countable).map((name) => `${countWords[scene.place]![name.gender]} ${name.genitive}`),
    row: () =>
      first.flatMap((a) =>
        second.flatMap((b) =>
          third.flatMap((c) => [
            `${b.nominative} между ${a.instrumental} и ${c.instrumental}`,
            `${a.nominative} ${b.nominative} и ${c.nominative}`,
          ]),
        ),
      ),
    text: () => {
      const number = /^\d+$/.test(scene.text!);
      if (scene.place === 'alone') return [`${number ? 'число' : 'слово'} ${scene.text}`];
      return first.map((name) => `${name.nominative} над ${number ? 'числом' : 'словом'} ${scene.text}`);
    },
  };
  for (const body of bodies[layout]()) found.push(body, `${body} ${tail}`, `${tail} ${body}`);
  return new Set(found.map(plainText));
}

function pairCaptions(a: Name, b: Name, relation: string): string[] {
  return [
    ...(relation === 'left-of'
      ? [`${a.nominative} слева от ${b.genitive}`, `${b.nominative} справа от ${a.genitive}`]
      : [`${a.nominative} над ${b.instrumental}`, `${b.nominative} под ${a.instrumental}`]),
    `${a.nominative} и ${b.nominative}`,
    `${b.nominative} и ${a.nominative}`,
  ];
}

/** Kinds whose name, in any case, is a given text: more than one where names are shared. */
export function kindsNamed(world: World, text: string): number[] {
  let known = names.get(world);
  if (!known) {
    names.set(world, (known = new Map()));
    for (const [index, kind] of world.kinds.entries()) {
      for (const name of kind.names) {
        for (const form of [name.nominative, name.genitive, name.instrumental].map(plainText))
          known.set(form, [...new Set([...(known.get(form) ?? []), index])]);
      }
    }
  }
  return known.get(plainText(text)) ?? [];
}

const names = new WeakMap<World, Map<string, number[]>>();

/** Lower case, with е for ё, without punctuation: words with one space between. */
export function plainText(text: string): string {
  return text
    .toLowerCase()
    .replaceAll('ё', 'е')
    .replaceAll(/[\s.,!?]+/g, ' ')
    .trim();
}

/** The longest name that some words begin with; of length 0 where there is none. */
function longestName(world: World, words: readonly string[]): { readonly kinds: number[]; readonly length: number } {
  for (let length = Math.min(words.length, 4); length > 0; length--) {
    const kinds = kindsNamed(world, words.slice(0, length).join(' '));
    if (kinds.length > 0) return { kinds, length };
  }
  return { kinds: [], length: 0 };
}

function stated(found: readonly string[], expected: string): boolean | null {
  if (found.length === 0) return null;
  return found.length === 1 && found[0] === expected;
}

/** Of one sprite. "слева вверху" also says "слева": the longest phrase is meant. */
function placeSaid(world: World, says: (phrase: string) => boolean, expected: string): boolean | null {
  const phrases = Object.entries(world.description.placeWords).flatMap(([place, list]) =>
    list.filter(says).map((phrase) => ({ place, length: phrase.length })),
  );
  const longest = Math.max(0, ...phrases.map((phrase) => phrase.length));
  const found = phrases.filter((phrase) => phrase.length === longest).map((phrase) => phrase.place);
  return stated(found, expected);
}

/** Of all other layouts: is the sentence without its background of the right form? A mere list says nothing. */
function formSaid(world: World, body: string, place: string): boolean | null {
  const forms: Readonly<Record<string, readonly string[]>> = {
    'left-of': ['0 слева от 1', '1 справа от 0'],
    above: ['0 над 1', '1 под 0'],
    between: ['1 между 0 и 2'],
    alone: ['TEXT'],
    under: ['0 над TEXT'],
  };
  const counts = Object.values(world.description.countWords[place] ?? {}).map((numeral) => `${numeral} 0`);
  if ((forms[place] ?? counts).includes(body)) return true;
  return body.split(' ').every((word) => /^([\dxи]?)$/.test(word)) ? null : false;
}
