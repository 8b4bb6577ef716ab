// Makes the app's icons from public/icon.svg: `npm run icons`, after the picture was changed.
import { readFileSync } from 'node:fs';
import sharp from 'sharp';

const svg = readFileSync('public/icon.svg', 'utf8');
const ground = /<rect [^>]*fill="(#\w+)"/.exec(svg)[1];
/** Systems cut their own shape: the ground fills the square, the picture keeps to the middle. */
const square = svg.replace(/ rx="\d+"/, '');
const MASKABLE_SHARE = 0.74; // antlers and nose lie within the circle of 80 % that always shows

async function png(source, side, file, share = 1) {
  const inner = Math.round(side * share);
  const before = Math.floor((side - inner) / 2);
  const after = side - inner - before;
  await sharp(Buffer.from(source), { density: (72 * inner) / 64 })
    .resize(inner, inner)
    .extend({ top: before, left: before, bottom: after, right: after, background: ground })
    .png({ compressionLevel: 9, palette: true })
    .toFile(`public/${file}`);
}

await png(svg, 192, 'icon-192.png');
await png(svg, 512, 'icon-512.png');
await png(square, 512, 'icon-maskable.png', MASKABLE_SHARE);
await png(square, 180, 'icon-apple.png', 0.86);
