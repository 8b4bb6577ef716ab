import { defineConfig } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { leanShaders } from './vite.wgsl.ts';

/** The page: `npm start` serves it while developing, `npm run build` writes it to dist/site for any static host. */
export default defineConfig({
  base: './',
  plugins: [installable()],
  // Where another program has this port, the next free one; Vite prints the address.
  server: { port: 5173 },
  preview: { port: 4173, strictPort: true },
  worker: { format: 'es', plugins: () => [leanShaders()] },
  // Found only inside the worker, these would make the dev server reload the page on the first visit.
  // Entries: else Vite looks through every page, those of examples/ and bench/ too, and complains that they do not resolve.
  optimizeDeps: { entries: ['index.html'], include: ['comlink', 'idb-keyval'] },
  build: {
    outDir: 'dist/site',
    target: 'es2022',
    emptyOutDir: true,
    // In one piece: what is fetched later may be gone by then, when there is a new version.
    rolldownOptions: { output: { codeSplitting: false } },
  },
});

/** The page as an app: its manifest, and a service worker that keeps its files (models are kept by the library, in IndexedDB). */
function installable(): ReturnType<typeof VitePWA> {
  return VitePWA({
    // A new version waits until somebody agrees (src/demo/update.ts): nobody's drawing ends for it.
    registerType: 'prompt',
    injectRegister: false,
    // The manifest names these; they would be in the list twice.
    includeManifestIcons: false,
    manifest: {
      start_url: './',
      scope: './',
      name: 'RUDOLPH: картинки и тексты',
      short_name: 'RUDOLPH',
      description: 'Нейросеть рисует по русскому тексту, описывает и дорисовывает картинки прямо на вашем устройстве.',
      lang: 'ru',
      dir: 'ltr',
      display: 'standalone',
      background_color: '#f7f5f1',
      theme_color: '#f7f5f1',
      categories: ['graphics', 'entertainment'],
      icons: [
        { src: 'icon.svg', type: 'image/svg+xml', sizes: 'any' },
        { src: 'icon-192.png', type: 'image/png', sizes: '192x192' },
        { src: 'icon-512.png', type: 'image/png', sizes: '512x512' },
        { src: 'icon-maskable.png', type: 'image/png', sizes: '512x512', purpose: 'maskable' },
      ],
      shortcuts: [
        { name: 'Нарисовать', url: './#draw' },
        { name: 'Описать картинку', url: './#caption' },
      ],
    },
    workbox: {
      globPatterns: ['**/*.{html,js,css,svg,png,woff2}'],
      globIgnores: ['models/**', 'sw.js', 'workbox-*.js'],
      // Everything that the page consists of, also a large worker: a part that is missing would only be noticed offline.
      maximumFileSizeToCacheInBytes: 8 << 20,
      // Named after their content by the build.
      dontCacheBustURLsMatching: /(^|\/)assets\//,
      navigateFallback: 'index.html',
      // The page itself, whatever model is asked for; not what somebody opens beside it, e.g. a manifest.
      navigateFallbackAllowlist: [/^[^?]*\/(index\.html)?(\?.*)?$/],
      inlineWorkboxRuntime: true,
      sourcemap: false,
    },
  });
}
