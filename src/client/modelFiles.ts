import { RudolphError } from '../errors';
import type { ModelFile } from '../format/modelFile';

export type FileHandle = FileSystemFileHandle | FileSystemDirectoryHandle;

/**
 * Files of a model, however a page gets them: an `<input>`'s `files` (also with `webkitdirectory`), a drop's `dataTransfer` or its
 * `items` (files and folders), `showDirectoryPicker()`, `showOpenFilePicker()`, or files with their paths. Of a folder everything
 * in it is taken.
 */
export type ModelFilesInput =
  FileList | DataTransfer | DataTransferItemList | FileHandle | readonly (File | FileHandle | ModelFile)[];

/** One thing of a drop. A folder is only to be had from its entry. */
export interface Dropped {
  readonly entry: FileSystemEntry | null;
  readonly file: File | null;
}

/**
 * Turns whatever a page was given into files with paths: for `Rudolph.load` and `inspectFiles`, and to gather files that come one
 * after the other. Nothing is read.
 *
 * ```ts
 * const files = [...(await modelFiles(input.files!)), ...(await modelFiles(more))];
 * ```
 *
 * A drop has to be given before the event's handler awaits anything: browsers empty it then.
 * @throws RudolphError `bad-input` for something else, for a folder that cannot be read, for more than 5000 files; `download` when the
 * part of the library that reads folders, which is loaded now, does not come.
 */
export async function modelFiles(input: ModelFilesInput): Promise<readonly ModelFile[]> {
  const taken = take(input);
  const { readFiles } = await import('./readFiles').catch((cause: unknown) => {
    throw new RudolphError(
      'download',
      'the part of the library that reads files (files.js, beside client.js) could not be loaded: check the network, then load the page anew',
      {},
      { cause },
    );
  });
  return readFiles(taken);
}

/** Browsers empty a drop after its event, and an `<input>`'s list when its value is reset: whatever is needed is taken now. */
function take(input: ModelFilesInput): readonly (File | FileHandle | ModelFile | Dropped)[] {
  if (Symbol.iterator in Object(input) && !isItemList(input)) return [...(input as Iterable<File>)];
  const items = (input as Partial<DataTransfer> | null)?.items ?? input;
  if (!isItemList(items)) return [input as FileHandle];
  return Array.from(items)
    .filter(({ kind }) => kind === 'file')
    .map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
}

function isItemList(input: unknown): input is DataTransferItemList {
  return typeof DataTransferItemList !== 'undefined' && input instanceof DataTransferItemList;
}
