import { type RgbaImage, toBlob, toImageData } from '../index';

const painted = new WeakMap<HTMLCanvasElement, RgbaImage>();

/** Shows a picture, unless the canvas shows it already. */
export function paint(canvas: HTMLCanvasElement, image: RgbaImage): void {
  if (painted.get(canvas) === image) return;
  painted.set(canvas, image);
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext('2d')?.putImageData(toImageData(image), 0, 0);
}

/** Lets the visitor save a PNG. */
export async function save(image: RgbaImage, name: string): Promise<void> {
  const url = URL.createObjectURL(await toBlob(image));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
