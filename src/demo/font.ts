import cyrillic from '@fontsource-variable/onest/files/onest-cyrillic-wght-normal.woff2?no-inline';
import latin from '@fontsource-variable/onest/files/onest-latin-wght-normal.woff2?no-inline';

/** The characters of each file, as in the font's own stylesheet. */
const FILES = [
  [cyrillic, 'U+0301, U+0400-045F, U+0490-0491, U+04B0-04B1, U+2116'],
  [
    latin,
    'U+0000-00FF, U+0131, U+0152-0153, U+02BB-02BC, U+02C6, U+02DA, U+02DC, U+0304, U+0308, U+0329, U+2000-206F, U+20AC, U+2122, U+2191, U+2193, U+2212, U+2215, U+FEFF, U+FFFD',
  ],
] as const;

/**
 * The page's font. Fetched like data, not named in a stylesheet: hosts may send a policy of content that allows no fonts
 * (`default-src 'none'` without `font-src`), and the page has to look the same there.
 */
export function loadFont(): void {
  for (const [url, unicodeRange] of FILES) {
    fetch(url)
      .then((response) => (response.ok ? response.arrayBuffer() : Promise.reject(new Error(`${response.status}`))))
      .then((bytes) => new FontFace('Onest Variable', bytes, { weight: '100 900', unicodeRange }).load())
      .then((face) => document.fonts.add(face))
      // Without it the system's font does.
      .catch(() => undefined);
  }
}
