import { defineConfig } from 'vite';
import { offlinePage } from './scripts/offlinePage.ts';

/** The page: `npm start` serves it while developing, `npm run build` writes it to dist/site for any static host. */
export default defineConfig({
  base: './',
  plugins: [offlinePage()],
  server: { port: 5173, strictPort: true },
  preview: { port: 4173, strictPort: true },
  worker: { format: 'es' },
  // Found only inside the worker, these would make the dev server reload the page on the first visit.
  optimizeDeps: { include: ['comlink', 'idb-keyval'] },
  build: { outDir: 'dist/site', target: 'es2022', emptyOutDir: true },
});
