import { announce, byId, element } from './dom';
import { quietButton } from './controls';
import { say, t } from './language';
import type { Page } from './page';

/** Open pages look for a new version this often, and when somebody comes back to them. */
const LOOK_EVERY = 60 * 60_000;
/** Milliseconds for the new version to take over. */
const MOST_WAIT = 3000;
/** In the session's storage: load the page once more. */
const AGAIN = 'rudolph-update-again';

/**
 * Keeps the page for visits without a network (the models are kept by the library), and offers a new version when there is one.
 * Not while developing.
 * @param keepForm called before the page is loaded anew: what was filled in should survive that
 */
export function keepPage(page: Page, keepForm: () => void): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const workers = navigator.serviceWorker;
  const register = async (): Promise<void> => {
    const registration = await workers.register('./sw.js');
    if (sessionStorage.getItem(AGAIN)) {
      sessionStorage.removeItem(AGAIN);
      const { waiting } = registration;
      if (waiting) await new Promise((resolve) => waiting.addEventListener('statechange', resolve, { once: true }));
      location.reload();
      return;
    }
    const look = (): void => {
      const { waiting } = registration;
      // The first one ever has no page to wait for.
      if (waiting && registration.active) offer(page, waiting, keepForm);
    };
    look();
    registration.addEventListener('updatefound', () => {
      registration.installing?.addEventListener('statechange', look);
    });
    let looked = performance.now();
    const ask = (): void => {
      if (document.hidden || performance.now() - looked < LOOK_EVERY) return;
      looked = performance.now();
      registration.update().catch(() => undefined); // no network: another time
    };
    setInterval(ask, LOOK_EVERY);
    document.addEventListener('visibilitychange', ask);
  };
  // After the page has what it needs; where it is not allowed, the page works all the same.
  addEventListener('load', () => void register().catch(() => undefined));
  // Another tab has brought in the new version. This one goes on with what it has, and says so.
  const controlled = workers.controller !== null;
  workers.addEventListener('controllerchange', () => {
    if (controlled && !document.getElementById('update')?.dataset['reloads']) offer(page, null, keepForm);
  });
}

/** @param waiting the new version, or null where it is in place already. */
function offer(page: Page, waiting: ServiceWorker | null, keepForm: () => void): void {
  document.getElementById('update')?.remove();
  const text = say(element('p'), () => t().updateReady);
  const reload = async (): Promise<void> => {
    accept.disabled = true;
    notice.dataset['reloads'] = 'true';
    if (page.tabs.busy) say(text, () => t().updateAfterWork);
    await page.tabs.idle();
    keepForm();
    if (waiting?.state === 'installed') {
      const taken = new Promise((resolve) => waiting.addEventListener('statechange', resolve, { once: true }));
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's takes none
      waiting.postMessage({ type: 'SKIP_WAITING' });
      // A browser may hold the new version back while the old one still answers this page; leaving the page ends that.
      const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), MOST_WAIT));
      // Then the page that comes next is still the old one, and has to be followed by another.
      if ((await Promise.race([taken, late])) === 'late') sessionStorage.setItem(AGAIN, 'yes');
    }
    location.reload();
  };
  const accept = quietButton(
    'again',
    () => t().updateNow,
    () => void reload(),
  );
  const later = quietButton(
    'close',
    () => t().updateLater,
    () => notice.remove(),
  );
  const notice = element('div', { className: 'update', id: 'update', role: 'region' }, text, accept, later);
  say(notice, () => t().updateLabel, 'aria-label');
  byId('banners').before(notice);
  announce(t().updateReady);
}
