import { RudolphError } from '../errors';
import type { ModelFile } from '../format/modelFile';
import type { Dropped, FileHandle } from './modelFiles';

/** Somebody may drop a whole disk; recognising the files says so, too. */
const MOST_FILES = 5000;
const MOST_FOLDERS = 12;

/**
 * Loaded when files are given for the first time: pages that open models by address never need it.
 * @param given what `modelFiles` took
 */
export async function readFiles(
  given: readonly (File | FileHandle | ModelFile | Dropped)[],
): Promise<readonly ModelFile[]> {
  const files: ModelFile[] = [];
  for (const item of given) {
    if (typeof item !== 'object' || item === null) throw noFiles(item);
    if (isHandle(item)) await addHandle(files, item, '', 0);
    else if ('entry' in item) await addDropped(files, item);
    else if ('path' in item) add(files, item.path, item.file);
    else if ('name' in item) add(files, item.webkitRelativePath || item.name, item);
    else throw noFiles(item);
  }
  return files;
}

function noFiles(given: unknown): RudolphError {
  return new RudolphError('bad-input', `there are no files to open (${String(given)}): give files, a drop or a folder`);
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

async function addDropped(files: ModelFile[], { entry, file }: Dropped): Promise<void> {
  if (entry?.isDirectory) await addEntry(files, entry, '', 0);
  else if (file) add(files, file.name, file);
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
