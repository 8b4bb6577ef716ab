// Keeps the page itself (not the models, which the library keeps) so that it opens without a network.
// `vite.config.ts` fills in the two constants and writes this file beside index.html.
const VERSION = '__VERSION__';
/** Paths relative to this file; all but the page are named after their content. */
const FILES = ['__FILES__'];

const PREFIX = 'rudolph-page-';
const CACHE = PREFIX + VERSION;
const PAGE = new URL('./', self.location.href).href;
const addresses = new Set(FILES.map((file) => new URL(file, PAGE).href));

self.addEventListener('install', (event) => {
  // Past the HTTP cache: an old page with new files would not fit together.
  const requests = [PAGE, ...addresses].map((address) => new Request(address, { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

// Not before the tabs with the old page are closed: they may still ask for its files.
self.addEventListener('activate', (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    await Promise.all(
      names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)),
    );
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const address = request.url.split(/[?#]/)[0];
  if (request.mode === 'navigate' && (address === PAGE || address === `${PAGE}index.html`)) {
    event.respondWith(fetch(request).catch(() => stored(PAGE)));
  } else if (addresses.has(address)) {
    event.respondWith(stored(address).then((response) => response ?? fetch(request)));
  }
});

async function stored(address) {
  const cache = await caches.open(CACHE);
  return cache.match(address);
}
