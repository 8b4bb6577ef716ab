import { type Picture, type RgbaImage, RudolphError } from '../index';
import { EXAMPLES } from './examples';
import { element } from './dom';
import { LocalError } from './explain';
import type { Model } from './model';

/** Pixels a side of a picture on the page where the model does not say. */
const USUAL_SIDE = 128;
/** Older ones go: each is kept in memory. */
const MOST_RECENT = 12;

/** What a picture was drawn of. They mean something to that model alone. */
export interface DrawnTokens {
  /** `Model.id` */
  readonly model: string;
  readonly codes: readonly number[];
}

/** A picture that tasks may look at. */
export interface PagePicture {
  /** A file, or pixels. */
  readonly source: Picture;
  /** Of a drawn one. */
  readonly tokens: DrawnTokens | null;
  /** The square in the middle, on white, as the model sees it. */
  readonly canvas: HTMLCanvasElement;
  /** What it was drawn from, what it shows, or the file's name. */
  readonly name: string;
  /** Whether `name` says what it shows. */
  readonly described: boolean;
}

/** The page's pictures: the chosen one, which all tasks share, those that came up, and the examples. */
export class Pictures {
  readonly #model: Model;
  readonly #listeners = new Set<() => void>();
  #current: PagePicture | null = null;
  #recent: readonly PagePicture[] = [];
  #examples: readonly PagePicture[] = [];
  #error: unknown = null;
  /** Counts calls of `take`: only the last one counts. */
  #takes = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  /** The chosen one. */
  get current(): PagePicture | null {
    return this.#current;
  }

  /** All others that may be chosen, the newest first, examples last. */
  get all(): readonly PagePicture[] {
    return [...this.#recent, ...this.#examples];
  }

  get examples(): readonly PagePicture[] {
    return this.#examples;
  }

  /** Why the last file was not taken. */
  get error(): unknown {
    return this.#error;
  }

  /** What the library should read of a picture: the very tokens that it was drawn of, if the open model drew it. */
  sourceOf({ source, tokens }: PagePicture): Picture | readonly number[] {
    return tokens?.model === this.#model.id ? tokens.codes : source;
  }

  /** Calls back now and at every change. */
  watch(listener: () => void): void {
    this.#listeners.add(listener);
    listener();
  }

  /** Chooses a picture. */
  choose(picture: PagePicture): void {
    this.#takes++;
    this.#error = null;
    this.#current = picture;
    this.#remember([picture]);
  }

  /** Keeps pictures at hand. */
  add(pictures: readonly PagePicture[]): void {
    this.#remember(pictures);
  }

  /** Reads a file and chooses it; an unreadable one is told of. @returns whether it was chosen. */
  async take(file: Blob): Promise<boolean> {
    const turn = ++this.#takes;
    try {
      const picture = await this.read(file);
      if (turn !== this.#takes) return false;
      this.choose(picture);
      return true;
    } catch (error) {
      if (turn !== this.#takes) return false;
      this.#error = error;
      this.#tell();
      return false;
    }
  }

  /** Reads files and keeps them at hand, without choosing one; the first unreadable one is told of. @returns the others. */
  async readAll(files: readonly Blob[]): Promise<PagePicture[]> {
    const results = await Promise.allSettled(files.map((file) => this.read(file)));
    const pictures = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    this.#error = results.find((result) => result.status === 'rejected')?.reason ?? null;
    this.#remember(pictures);
    return pictures;
  }

  /** @throws LocalError when the browser cannot decode the file. */
  async read(file: Blob): Promise<PagePicture> {
    const name = file instanceof File ? file.name : '';
    let bitmap: ImageBitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      throw new LocalError((strings) => strings.unreadablePicture(name));
    }
    const canvas = centreSquare(bitmap, pictureSide(this.#model));
    bitmap.close();
    return { source: file, tokens: null, canvas, name, described: false };
  }

  /** The first example is chosen, until there is something else: every task can be tried at once. */
  async loadExamples(): Promise<void> {
    const loaded = await Promise.allSettled(
      EXAMPLES.map(async ({ url, caption }): Promise<PagePicture> => {
        const response = await fetch(url);
        if (!response.ok) throw new Error(`${url}: ${response.status}`);
        return { ...(await this.read(await response.blob())), name: caption, described: true };
      }),
    );
    // Without a network they may be missing; pictures of one's own still work.
    this.#examples = loaded.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    if (this.#takes === 0) this.#current = this.#examples[0] ?? null;
    this.#tell();
  }

  #remember(pictures: readonly PagePicture[]): void {
    const fresh = pictures.filter((picture) => !this.#examples.includes(picture) && !this.#recent.includes(picture));
    this.#recent = [...fresh, ...this.#recent].slice(0, MOST_RECENT);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A finished drawing. `tokens`: where they are known. */
export function drawnPicture(image: RgbaImage, prompt: string, tokens: DrawnTokens | null): PagePicture {
  const canvas = element('canvas', { width: image.width, height: image.height });
  canvas.getContext('2d')!.putImageData(new ImageData(image.data, image.width, image.height), 0, 0);
  return { source: image, tokens, canvas, name: prompt, described: true };
}

/** A copy that can stand in another place of the page. */
export function copyOf({ canvas }: PagePicture): HTMLCanvasElement {
  const copy = element('canvas', { width: canvas.width, height: canvas.height });
  copy.getContext('2d')!.drawImage(canvas, 0, 0);
  return copy;
}

/** Tokens a side. */
export function tokenSide({ state }: Model): number {
  return state.type === 'ready' ? state.rudolph.info.model.config.imageSide : USUAL_SIDE / 8;
}

function pictureSide(model: Model): number {
  return tokenSide(model) * 8;
}

function centreSquare(bitmap: ImageBitmap, side: number): HTMLCanvasElement {
  const square = Math.min(bitmap.width, bitmap.height);
  const canvas = element('canvas', { width: side, height: side });
  const context = canvas.getContext('2d');
  if (!context) throw new RudolphError('out-of-memory', 'the browser gave no canvas');
  context.fillStyle = '#fff'; // the model sees transparent pictures on white
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = 'high';
  const [left, top] = [(bitmap.width - square) >> 1, (bitmap.height - square) >> 1];
  context.drawImage(bitmap, left, top, square, square, 0, 0, side, side);
  return canvas;
}
