import { announce, byId, element } from './dom';
import { quietButton } from './controls';
import { say, t } from './language';
import type { Page } from './page';

/** Open pages look for a new version this often, and when somebody comes back to them. */
const LOOK_EVERY = 60 * 60_000;
/** Milliseconds after which the page says that the browser still holds the old version. */
const LONG_WAIT = 2000;

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
    const agreed = document.getElementById('update')?.dataset['agreed'];
    if (controlled && workers.controller && !agreed) offer(page, workers.controller, keepForm);
  });
}

/** @param version waits, or has been brought in by another tab. */
function offer(page: Page, version: ServiceWorker, keepForm: () => void): void {
  document.getElementById('update')?.remove();
  const text = say(element('p'), () => t().updateReady);
  const workDone = async (): Promise<void> => {
    if (page.tabs.busy) say(text, () => t().updateAfterWork);
    await page.tabs.idle();
  };
  const change = async (): Promise<void> => {
    accept.disabled = true;
    notice.dataset['agreed'] = 'true';
    await workDone();
    if (!notice.isConnected) return;
    const late = setTimeout(() => say(text, () => t().updateWaits), LONG_WAIT);
    const activated = await activate(version);
    clearTimeout(late);
    // Nothing kept anybody from starting something else while the browser took its time.
    await workDone();
    // Put off after all; or a still newer one has been found meanwhile, and is offered in its place.
    if (!activated || !notice.isConnected) return;
    keepForm();
    location.reload();
  };
  const accept = quietButton(
    'again',
    () => t().updateNow,
    () => void change(),
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

/**
 * Lets a version take over, and waits until it answers. A browser lets the old one finish its requests first, and one that arrives in
 * this very moment starts the old one anew: Chromium then takes it away when it has been idle for half a minute, or after five. The page must
 * not be left before: its next request would go to the version that is being stopped, and could wait for ever.
 * @returns false when the version will never be used
 */
function activate(version: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (version.state === 'activated') resolve(true);
      else if (version.state === 'redundant') resolve(false);
    };
    version.addEventListener('statechange', look);
    look();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's takes none
    if (version.state === 'installed') version.postMessage({ type: 'SKIP_WAITING' });
  });
}
