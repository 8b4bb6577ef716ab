/** One sub-command of `rudolph-web`; lives in `cli/commands/<name>.ts` as the export `command`. */
export interface Command {
  readonly name: string;
  /** Half a line for the list of commands. */
  readonly summary: string;
  /** The text of `rudolph-web <name> --help`: the call, every option with its default, what is printed. */
  readonly usage: string;
  /**
   * Does the work: results on stdout, progress on stderr. Failures throw (a `RudolphError` says it all in its message).
   * @param args what follows the command's name
   * @param signal aborted by Ctrl-C
   */
  run(args: string[], signal: AbortSignal): Promise<void>;
}
