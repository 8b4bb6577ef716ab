/** Keeps the page for visits without a network; the models are kept by the library. Not while developing. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  // After the page has what it needs; where it is not allowed, the page works all the same.
  addEventListener('load', () => void navigator.serviceWorker.register('./sw.js').catch(() => undefined));
}
