/** A file of somebody's own model, with its place in the folder that it came from. */
export interface ModelFile {
  /** With `/` between folders, e.g. `my-model/rudolph.json`; the name alone where nothing more is known. */
  readonly path: string;
  /** A `File` is read piece by piece from the disk; only its handle goes to the worker. */
  readonly file: Blob;
}
