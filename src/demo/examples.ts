import catHouse from './examples/cat-house.png?no-inline';
import crownOwl from './examples/crown-owl.png?no-inline';
import mushroomBetween from './examples/mushroom-between.png?no-inline';
import pandas from './examples/pandas.png?no-inline';
import robotWord from './examples/robot-word.png?no-inline';
import rocket from './examples/rocket.png?no-inline';

/** Pictures to try the tasks on: scenes of the embedded model's world that it was not trained on, with what they show. */
export const EXAMPLES: readonly { readonly url: string; readonly caption: string }[] = [
  { url: catHouse, caption: 'кот слева от дома на голубом фоне' },
  { url: rocket, caption: 'большая ракета в центре вечером' },
  { url: pandas, caption: 'три панды на розовом фоне' },
  { url: mushroomBetween, caption: 'гриб между котом и лисой на жёлтом фоне' },
  { url: robotWord, caption: 'робот над словом привет на зелёном фоне' },
  { url: crownOwl, caption: 'корона над совой на синем фоне' },
];

/** Prompts for models that bring no examples of their own. */
export const PROMPTS = [
  'большая вишня в центре на белом фоне',
  'кот слева от ёлки',
  'три панды вечером',
  'гриб между котом и лисой на жёлтом фоне',
  'слово привет на розовом фоне',
];

/** Words to choose among; each of the pictures above holds one or two. */
export const CLASSES = ['кот', 'ракета', 'панда', 'гриб', 'робот', 'корона'];

/** The last one goes on with sums. */
export const BEGINNINGS = ['на картинке кот', 'большая вишня', 'три панды', 'корона над', 'гриб между', '|2+3=5|4+4='];

/** With the instruction before them they fit the 32 tokens of the embedded model's left text. */
export const QUESTIONS = {
  visual: [
    'что слева?',
    'что на картинке?',
    'сколько предметов на картинке?',
    'какого цвета фон?',
    'какое время суток?',
    'что написано?',
    'где гриб?',
  ],
  text: [
    'кот слева от ёлки на голубом фоне. что слева?',
    'три панды вечером. какое время суток?',
    'гриб между котом и лисой на жёлтом фоне. что посередине?',
    'робот над словом привет на зелёном фоне. что написано?',
  ],
  maths: ['сколько будет 7 + 8?', 'сколько будет 17 - 9?', 'решите уравнение. x + 3 = 12'],
} as const;
