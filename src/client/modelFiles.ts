import { RudolphError } from '../errors';
import type { ModelFile } from '../format/modelFile';

type FileHandle = FileSystemFileHandle | FileSystemDirectoryHandle;

/**
 * Files of a model, however a page gets them: an `<input>`'s `files` (also with `webkitdirectory`), a drop's `dataTransfer` or its
 * `items` (files and folders), `showDirectoryPicker()`, `showOpenFilePicker()`, or files with their paths. Of a folder everything
 * in it is taken.
 */
export type ModelFilesInput =
  FileList | DataTransfer | DataTransferItemList | FileHandle | readonly (File | FileHandle | ModelFile)[];

/** Somebody may drop a whole disk; recognising the files says so, too. */
const MOST_FILES = 5000;
const MOST_FOLDERS = 12;

/**
 * Turns whatever a page was given into files with paths: for `Rudolph.load` and `inspectFiles`, and to gather files that come one
 * after the other. Nothing is read.
 *
 * ```ts
 * const files = [...(await modelFiles(input.files!)), ...(await modelFiles(more))];
 * ```
 *
 * A drop has to be given before the event's handler awaits anything: browsers empty it then.
 * @throws RudolphError `bad-input` for something else, for a folder that cannot be read, for more than 5000 files.
 */
export async function modelFiles(input: ModelFilesInput): Promise<readonly ModelFile[]> {
  if (typeof input !== 'object' || input === null)
    throw new RudolphError('bad-input', `there are no files to open (${String(input)})`);
  const files: ModelFile[] = [];
  if ('items' in input) await addDropped(files, input.items);
  else if (isItemList(input)) await addDropped(files, input);
  else if (isHandle(input)) await addHandle(files, input, '', 0);
  else if (Symbol.iterator in input) {
    for (const item of input) {
      if (isHandle(item)) await addHandle(files, item, '', 0);
      else if ('path' in item) add(files, item.path, item.file);
      else add(files, item.webkitRelativePath || item.name, item);
    }
  } else throw new RudolphError('bad-input', 'there are no files to open: give files, a drop or a folder');
  return files;
}

function isItemList(input: object): input is DataTransferItemList {
  return typeof DataTransferItemList !== 'undefined' && input instanceof DataTransferItemList;
}

function isHandle(input: object): input is FileHandle {
  return 'kind' in input && (input.kind === 'file' || input.kind === 'directory') && 'isSameEntry' in input;
}

function add(files: ModelFile[], path: string, file: Blob): void {
  if (files.length >= MOST_FILES)
    throw new RudolphError('bad-input', `these are more than ${MOST_FILES} files; choose the folder of one model`);
  files.push({ path, file });
}

/** What a folder of a model has none of: versions (`.git`), caches, what systems leave behind. */
function isHidden(name: string): boolean {
  return name.startsWith('.') || name === '__MACOSX';
}

async function addHandle(files: ModelFile[], handle: FileHandle, folder: string, depth: number): Promise<void> {
  const path = `${folder}${handle.name}`;
  if (handle.kind === 'file') return add(files, path, await readable(path, handle.getFile()));
  if (depth > MOST_FOLDERS) return;
  const children: FileHandle[] = [];
  await readable(
    path,
    (async () => {
      for await (const child of handle.values()) children.push(child as FileHandle);
    })(),
  );
  for (const child of children) if (!isHidden(child.name)) await addHandle(files, child, `${path}/`, depth + 1);
}

function addDropped(files: ModelFile[], items: DataTransferItemList): Promise<void> {
  // Now, while the drop lasts: after the first await the list is empty.
  const dropped = Array.from(items)
    .filter(({ kind }) => kind === 'file')
    .map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  return (async () => {
    for (const { entry, file } of dropped) {
      if (entry?.isDirectory) await addEntry(files, entry, '', 0);
      else if (file) add(files, file.name, file);
    }
  })();
}

async function addEntry(files: ModelFile[], entry: FileSystemEntry, folder: string, depth: number): Promise<void> {
  const path = `${folder}${entry.name}`;
  if (entry.isFile) {
    const file = new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return add(files, path, await readable(path, file));
  }
  if (depth > MOST_FOLDERS) return;
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A part at a time; the empty one is the end.
    const part = await readable(
      path,
      new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject)),
    );
    if (part.length === 0) return;
    for (const child of part) if (!isHidden(child.name)) await addEntry(files, child, `${path}/`, depth + 1);
  }
}

async function readable<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    const why = cause instanceof Error || cause instanceof DOMException ? cause.message : String(cause);
    throw new RudolphError('bad-input', `${path} cannot be read: ${why}`, { path }, { cause });
  }
}
