import type { PlainError } from '../errors';

/** What a file is to a model. `rudolph`: the transformer; `vqgan`, `vqganDwt`: the image tokenizer, plain and of double side. */
export type FileRole =
  'manifest' | 'shard' | 'rudolph' | 'vqgan' | 'vqganDwt' | 'tokenizer' | 'config' | 'specialTokens' | 'metadata';

/** What some files make together. Plain data, no bytes. */
export interface FilesReport {
  /** `folder`: a converted model; `checkpoint`: upstream's files, which are converted; `nothing` of the kind. */
  readonly kind: 'folder' | 'checkpoint' | 'nothing';
  /** The model's name, when the files make one. */
  readonly name: string | null;
  /** The files that are used. */
  readonly used: readonly { readonly path: string; readonly role: FileRole; readonly byteLength: number }[];
  /** What is still needed of a checkpoint (`vqgan`: or `vqganDwt`; `config` where its sizes are those of no published model). */
  readonly missing: readonly FileRole[];
  /** Files that are not used, each with a sentence that begins with the file's name. Hidden files are left out. */
  readonly unused: readonly { readonly path: string; readonly why: string }[];
  /** Bytes that the model takes in this browser's storage, of a folder less what is there already; null when the files make none. */
  readonly neededBytes: number | null;
  /** Bytes that this browser still lets the page store; null where it does not say. */
  readonly freeBytes: number | null;
  /** Why the files cannot be opened: exactly what `Rudolph.load` would reject with. */
  readonly problem: PlainError | null;
}

/** What the files of a checkpoint do not say themselves. */
export interface ConvertSettings {
  /** The model's name for people; by default `RUDOLPH 350M` and the like. */
  readonly name?: string;
  /** Sizes of a published model, by default the one whose shapes match; a config file among the files is then not used. */
  readonly preset?: '350M_v1' | '350M' | '1.3B' | '2.7B' | '2.7B_fbc2';
  /** Which special tokens the model was trained with, by default those of a file, else `base`; `fbc2` with the preset 2.7B_fbc2. */
  readonly specialTokens?: 'base' | 'fbc2';
  /**
   * The mean colour of each image code, for live previews: `auto` (default) computes it unless the graphics adapter is software, on
   * which it takes long.
   */
  readonly preview?: 'auto' | 'on' | 'off';
}
