/**
 * What a terminal may be sent: texts come out of models and files, and may hold sequences that steer it. Into a pipe or a file they go
 * as they are.
 */
export function forTerminal(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu, '\ufffd');
}

/** A line of a command's result, on stdout. */
export function print(line: string): void {
  process.stdout.write(`${process.stdout.isTTY ? forTerminal(line) : line}\n`);
}

/** A command's result as one line of JSON, on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

let lastStatus = 0;
let open = false;

/**
 * Progress, on stderr. In a terminal the line is overwritten by the next; elsewhere at most one line in two seconds is
 * written, so that a log stays short. `done` writes it in any case, and for good.
 */
export function status(line: string, { done = false } = {}): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${forTerminal(line)}${done ? '\n' : ''}`);
    open = !done;
    return;
  }
  const now = Date.now();
  if (!done && now - lastStatus < 2000) return;
  lastStatus = now;
  process.stderr.write(`${line}\n`);
}

/** Ends an open progress line, so that what follows starts on a line of its own. */
export function endStatus(): void {
  if (open) process.stderr.write('\n');
  open = false;
}
