import butterflyMushroom from './examples/butterfly-mushroom.png?no-inline';
import catFir from './examples/cat-fir.png?no-inline';
import cherries from './examples/cherries.png?no-inline';
import crownTiger from './examples/crown-tiger.png?no-inline';
import fox from './examples/fox.png?no-inline';
import snowman from './examples/snowman.png?no-inline';

/** Pictures to try the tasks on: scenes of the embedded model's world, with what they show. */
export const EXAMPLES: readonly { readonly url: string; readonly caption: string }[] = [
  { url: catFir, caption: 'кот слева от ёлки на голубом фоне' },
  { url: cherries, caption: 'большая вишня в центре на белом фоне' },
  { url: crownTiger, caption: 'корона над тигром на синем фоне' },
  { url: fox, caption: 'маленькая лиса внизу на зелёном фоне' },
  { url: butterflyMushroom, caption: 'бабочка над грибом на жёлтом фоне' },
  { url: snowman, caption: 'большой снеговик справа на фиолетовом фоне' },
];

/** Prompts for models that bring no examples of their own. */
export const PROMPTS = ['большая вишня в центре на белом фоне', 'кот слева от ёлки', 'корона над тигром на синем фоне'];

/** Words to choose among; each of the pictures above holds one or two. */
export const CLASSES = ['кот', 'вишня', 'корона', 'лиса', 'гриб', 'снеговик'];

export const BEGINNINGS = ['на картинке кот', 'большая вишня', 'маленькая лиса', 'корона над', 'гриб под'];

/** To be measured: a sentence, the same words out of order, and one that nobody would draw. */
export const SENTENCES = [
  'кот слева от ёлки на голубом фоне',
  'ёлки кот фоне на слева голубом от',
  'ёлка внутри кота на коте',
];

/** With the instruction before them they fit the 32 tokens of the embedded model's left text. */
export const QUESTIONS = {
  visual: ['что слева?', 'что справа?', 'какого цвета фон?', 'сколько предметов на картинке?'],
  text: ['кот слева от ёлки. что слева?', 'корона над тигром. что внизу?'],
  maths: ['сколько будет 2 + 3?', 'решите уравнение. x + 3 = 5'],
} as const;
