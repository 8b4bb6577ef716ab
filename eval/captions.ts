import type { Scene } from './scene';
import type { World } from './world';

/** What a caption says, each part compared with the scene; null where it says nothing of it. */
export interface CaptionVerdict {
  /** It names the right kinds, by any of their names, and no others. */
  readonly sprites: boolean;
  /** Of two sprites: who is where ("слева от", "под"). */
  readonly relation: boolean | null;
  /** Of one sprite. */
  readonly place: boolean | null;
  readonly size: boolean | null;
  readonly background: boolean | null;
  /** The right sprites, and nothing that it says is wrong. */
  readonly true: boolean;
}

interface Mention {
  readonly kinds: readonly number[];
  /** Index of its first word, and one behind its last. */
  readonly start: number;
  readonly end: number;
}

/** Relation → [the phrase that has the first sprite first, the one that has it last]. */
const RELATIONS: Readonly<Record<string, readonly [string, string]>> = {
  'left-of': ['слева от', 'справа от'],
  above: ['над', 'под'],
};

/** Judges a caption by its words, with or without the template before it; ё and е count as the same. */
export function judgeCaption(
  world: World,
  text: string,
  scene: Omit<Scene, 'caption' | 'rgb'>,
  template = 'на картинке',
): CaptionVerdict {
  const plain = plainText(text);
  const start = plainText(template);
  const words = (plain.startsWith(start) ? plain.slice(start.length) : plain).split(/\s+/).filter(Boolean);
  const mentions = findNames(world, words);
  const expected = scene.sprites.map((sprite) => world.kindOf(sprite.id));
  const rest = words.map((word, i) => (mentions.some((m) => i >= m.start && i < m.end) ? '|' : word)).join(' ');
  const says = (phrase: string): boolean => ` ${rest} `.includes(` ${plainText(phrase)} `);

  const [first, second] = mentions;
  const sprites =
    mentions.length === expected.length &&
    (expected.every((kind, i) => mentions[i]!.kinds.includes(kind)) ||
      expected.every((kind, i) => mentions[expected.length - 1 - i]!.kinds.includes(kind)));

  let relation: boolean | null = null;
  if (expected.length === 2 && first && second) {
    const between = words.slice(first.end, second.start).join(' ');
    const found = Object.entries(RELATIONS).flatMap(([name, phrases]) =>
      phrases.includes(between) ? [{ name, reversed: phrases[1] === between }] : [],
    )[0];
    if (found)
      relation =
        found.name === scene.place &&
        first.kinds.includes(expected[found.reversed ? 1 : 0]!) &&
        second.kinds.includes(expected[found.reversed ? 0 : 1]!);
  }

  const background = stated(
    Object.entries(world.description.backgrounds)
      .filter(([, { word }]) => says(`на ${word} фоне`))
      .map(([name]) => name),
    scene.background,
  );
  const single = expected.length === 1;
  // "слева вверху" also says "слева": the longest phrase is meant.
  const phrases = Object.entries(world.description.places).flatMap(([place, list]) =>
    list.filter(says).map((phrase) => ({ place, length: phrase.length })),
  );
  const longest = Math.max(0, ...phrases.map((phrase) => phrase.length));
  const place = single
    ? stated(
        phrases.filter((phrase) => phrase.length === longest).map((phrase) => phrase.place),
        scene.place,
      )
    : null;
  const sizes = Object.entries(world.description.sizes).filter(
    ([, { words: forms }]) => forms && Object.values(forms).some(says),
  );
  const size = single
    ? stated(
        sizes.map(([name]) => name),
        scene.size,
      )
    : null;

  return {
    sprites,
    relation,
    place,
    size,
    background,
    true: sprites && [relation, place, size, background].every((part) => part !== false),
  };
}

/** Kinds whose name, in any case, is a given text: more than one where names are shared. */
export function kindsNamed(world: World, text: string): number[] {
  const wanted = plainText(text);
  return world.kinds.flatMap((kind, index) =>
    kind.names.some((name) =>
      [name.nominative, name.genitive, name.instrumental].some((form) => plainText(form) === wanted),
    )
      ? [index]
      : [],
  );
}

function stated(found: readonly string[], expected: string): boolean | null {
  if (found.length === 0) return null;
  return found.length === 1 && found[0] === expected;
}

/** From left to right the longest names. */
function findNames(world: World, words: readonly string[]): Mention[] {
  const mentions: Mention[] = [];
  for (let start = 0; start < words.length; start++) {
    for (let end = Math.min(words.length, start + 4); end > start; end--) {
      const kinds = kindsNamed(world, words.slice(start, end).join(' '));
      if (kinds.length === 0) continue;
      mentions.push({ kinds, start, end });
      start = end - 1;
      break;
    }
  }
  return mentions;
}

function plainText(text: string): string {
  return text.toLowerCase().replaceAll('ё', 'е').trim();
}
