import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { evenly, layoutOf, LAYOUTS, type Scene } from './scene';

const COLUMNS = 8;
const PICTURES = 64;
const GAP = 16;
const LINE = 13;
/** Lines of a prompt and letters of a line. */
const LINES = 3;
const LETTERS = 21;

/** A PNG of up to 64 drawings, all layouts in turn, with their prompts below. @param folder pictures by the number of their scene: 012.png */
export async function writeSheet(file: string, folder: string, scenes: readonly Scene[], side: number): Promise<void> {
  const numbers = (await readdir(folder))
    .filter((name) => /^\d+\.png$/.test(name))
    .map((name) => Number.parseInt(name));
  const chosen = LAYOUTS.flatMap((layout) => {
    const some = numbers.filter((number) => layoutOf(scenes[number]!) === layout).sort((a, b) => a - b);
    return evenly(some, Math.ceil((PICTURES * some.length) / numbers.length));
  }).slice(0, PICTURES);
  const [wide, high] = [side + GAP, side + LINES * LINE + GAP];
  const [width, height] = [COLUMNS * wide, Math.ceil(chosen.length / COLUMNS) * high];
  const corner = (i: number): { left: number; top: number } => ({
    left: (i % COLUMNS) * wide + GAP / 2,
    top: Math.floor(i / COLUMNS) * high + GAP / 2,
  });
  const labels = chosen.flatMap((number, i) => {
    const { left, top } = corner(i);
    return wrap(scenes[number]!.caption).map(
      (text, k) => `<text x="${left}" y="${top + side + (k + 1) * LINE}">${text}</text>`,
    );
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="10">${labels.join('')}</svg>`;
  await sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite([
      ...chosen.map((number, i) => ({ input: join(folder, `${String(number).padStart(3, '0')}.png`), ...corner(i) })),
      { input: Buffer.from(svg), left: 0, top: 0 },
    ])
    .png({ palette: true })
    .toFile(file);
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < LETTERS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
