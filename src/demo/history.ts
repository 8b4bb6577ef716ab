import { createStore, delMany, entries, set, type UseStore, clear } from 'idb-keyval';
import type { RgbaImage } from '../index';
import { toBlob } from '../index';
import { element } from './dom';
import type { Fields } from './link';
import type { DrawnTokens, PagePicture } from './pictures';
import type { TaskId } from './tabs';

/** Older ones go. */
const MOST_ENTRIES = 200;
const MOST_BYTES = 64e6;
/** Files above this are kept as the small square that the model sees. */
const MOST_FILE_BYTES = 1e6;

/** A picture as it is stored. */
export interface StoredPicture {
  /** As it stands on the page. */
  readonly png: Blob;
  /** The file that it came from; null where it was drawn, or where the file is large. */
  readonly file: Blob | null;
  /** Of a drawn one. */
  readonly tokens: DrawnTokens | null;
  readonly name: string;
  readonly described: boolean;
}

/** What came of one press of a button. */
export interface HistoryEntry {
  /** Begins with the time: keys are in the order in which things were done. */
  readonly id: string;
  readonly at: number; // milliseconds since 1970
  readonly task: TaskId;
  readonly title: string;
  /** The form, with the seed that was used. */
  readonly fields: Fields;
  /** What was drawn, or what was looked at. */
  readonly pictures: readonly StoredPicture[];
  /** What the library returned, where that is texts; else what it is shown with. */
  readonly result: unknown;
}

/** What was done on this page, in a database of its own. Where nothing can be stored, it lasts as long as the page. */
export class History {
  #entries: readonly HistoryEntry[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #openers = new Map<TaskId, (entry: HistoryEntry) => Promise<void>>();
  readonly #store: UseStore | null = openStore();
  /** Other tabs with the page. */
  readonly #channel = new BroadcastChannel('rudolph-history');

  constructor() {
    this.#channel.addEventListener('message', () => void this.#read());
    void this.#read();
  }

  /** The newest first. */
  get entries(): readonly HistoryEntry[] {
    return this.#entries;
  }

  /** Calls back now and at every change. */
  watch(listener: () => void): void {
    this.#listeners.add(listener);
    listener();
  }

  /** Says how a task shows one of its entries again. */
  onOpen(task: TaskId, open: (entry: HistoryEntry) => Promise<void>): void {
    this.#openers.set(task, open);
  }

  async open(entry: HistoryEntry): Promise<void> {
    await this.#openers.get(entry.task)?.(entry);
  }

  /** @returns the new entry's id. What cannot be stored is forgotten with the page, and nobody is bothered. */
  add(entry: Omit<HistoryEntry, 'id' | 'at'>): string {
    const at = Date.now();
    const full: HistoryEntry = { ...entry, at, id: `${at}-${crypto.randomUUID()}` };
    this.#set([full, ...this.#entries]);
    void this.#write(full);
    return full.id;
  }

  async remove({ id }: HistoryEntry): Promise<void> {
    this.#set(this.#entries.filter((other) => other.id !== id));
    await this.#change((store) => delMany([id], store));
  }

  async clear(): Promise<void> {
    this.#set([]);
    await this.#change((store) => clear(store));
  }

  async #write(entry: HistoryEntry): Promise<void> {
    const removeFrom = (first: number): Promise<boolean> => {
      const gone = this.#entries.slice(Math.max(1, first));
      this.#set(this.#entries.filter((other) => !gone.includes(other)));
      return this.#change((store) =>
        delMany(
          gone.map(({ id }) => id),
          store,
        ),
      );
    };
    const put = (): Promise<boolean> => this.#change((store) => set(entry.id, entry, store));
    const most = fitting(this.#entries);
    if (most < this.#entries.length) await removeFrom(most);
    // No room: what is new counts for more than what is old.
    if (!(await put()) && this.#store && this.#entries.length > 1 && (await removeFrom(this.#entries.length >> 1)))
      await put();
  }

  async #change(act: (store: UseStore) => Promise<void>): Promise<boolean> {
    if (!this.#store) return false;
    try {
      await act(this.#store);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel's takes none
      this.#channel.postMessage('changed');
      return true;
    } catch {
      return false;
    }
  }

  async #read(): Promise<void> {
    if (!this.#store) return;
    try {
      const stored = (await entries<string, HistoryEntry>(this.#store)).map(([, entry]) => entry);
      const known = new Map(this.#entries.map((entry) => [entry.id, entry]));
      // Those that are known stay the same objects: what hangs on them does, too.
      this.#set(stored.map((entry) => known.get(entry.id) ?? entry).sort((a, b) => (a.id < b.id ? 1 : -1)));
    } catch {
      // As if there were none.
    }
  }

  #set(next: readonly HistoryEntry[]): void {
    this.#entries = next;
    for (const listener of this.#listeners) listener();
  }
}

/** How many of the newest entries may stay. */
export function fitting(list: readonly HistoryEntry[], mostEntries = MOST_ENTRIES, mostBytes = MOST_BYTES): number {
  let bytes = 0;
  for (const [k, { pictures }] of list.entries()) {
    for (const { png, file } of pictures) bytes += png.size + (file?.size ?? 0);
    if (k > 0 && (k >= mostEntries || bytes > mostBytes)) return k;
  }
  return list.length;
}

/** What is kept of a drawing. */
export async function storedDrawing(
  image: RgbaImage,
  tokens: DrawnTokens | null,
  name: string,
): Promise<StoredPicture> {
  return { png: await toBlob(image), file: null, tokens, name, described: true };
}

/** What is kept of a picture that was looked at. */
export async function storedPicture({ canvas, source, tokens, name, described }: PagePicture): Promise<StoredPicture> {
  const png = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!png) throw new Error('the browser encoded no picture');
  const file = source instanceof Blob && source.size <= MOST_FILE_BYTES ? source : null;
  return { png, file, tokens, name, described };
}

const revived = new WeakMap<StoredPicture, PagePicture>();

/** A stored picture for the page; the same one each time. */
export async function revive(stored: StoredPicture): Promise<PagePicture> {
  const known = revived.get(stored);
  if (known) return known;
  const { png, file, tokens, name, described } = stored;
  const canvas = await canvasOf(png);
  const picture = { source: file ?? png, tokens, canvas, name, described };
  revived.set(stored, picture);
  return picture;
}

/** The pixels of a stored picture. */
export async function pixelsOf({ png }: StoredPicture): Promise<RgbaImage> {
  const canvas = await canvasOf(png);
  const { width, height } = canvas;
  return { width, height, data: canvas.getContext('2d')!.getImageData(0, 0, width, height).data };
}

async function canvasOf(png: Blob): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(png);
  const canvas = element('canvas', { width: bitmap.width, height: bitmap.height });
  canvas.getContext('2d')!.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas;
}

function openStore(): UseStore | null {
  try {
    return createStore('rudolph-history', 'entries');
  } catch {
    return null; // some private modes have none
  }
}
