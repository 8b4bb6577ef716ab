/**
 * What `work` gives; or the signal's reason, as soon as there is one. The work itself goes on unheard: nothing can be done about a
 * pipeline that is being compiled or a submission that runs, but nobody has to wait for it.
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
