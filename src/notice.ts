/** Stable and meant for programs, e.g. for saying a notice in another language. */
export type NoticeCode =
  | 'text-cut' // of a text's `total` tokens only the first `used` were used
  | 'untrained' // the model has no `token`: it was not trained for the task, `standIn` takes its place
  | 'storage-off' // the browser stores nothing
  | 'storage-full' // there is no room for the model; `neededBytes`, `freeBytes`, and `missingBytes` to be freed, where they are known
  | 'storage-failed' // storing the model ended with an error, `reason`
  | 'storage-evicted' // the browser removed `evictedBytes` of the model since the last visit; they are fetched again
  | 'storage-removed' // the model was removed from storage while it loaded; what comes is used, but not kept
  | 'older-version' // the host cannot be reached and its new version has not come completely: the one before is used
  | 'shard-damaged' // a stored shard, `file`, was damaged; it is fetched again
  | 'no-preview' // drawings have no live preview; `reason` where computing its colours failed
  | 'device-restored' // the graphics device was lost, `reason`; the work goes on on another one
  | 'converted'; // what the converter of somebody's checkpoint wants to be known, in its own words

/** Something the user should know although everything works: `message` is for people, `details` are its names and numbers. */
export interface Notice {
  readonly code: NoticeCode;
  readonly message: string;
  readonly details: Readonly<Record<string, string | number>>;
}
