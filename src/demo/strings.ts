import { EN } from './strings/en';
import { RU, type Strings } from './strings/ru';

export type { Strings } from './strings/ru';

/** Every sentence of the page, once a language. A missing or surplus key is a type error. */
export type Language = 'ru' | 'en';

export const STRINGS: Readonly<Record<Language, Strings>> = { ru: RU, en: EN };
