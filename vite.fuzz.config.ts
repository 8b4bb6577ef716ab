import { defineConfig } from 'vite';

/** `npm run fuzz`: dist/fuzz/, bundled because the tested modules are TypeScript. Packages stay outside. */
export default defineConfig({
  publicDir: false,
  build: {
    ssr: true,
    outDir: 'dist/fuzz',
    target: 'node20',
    sourcemap: true,
    minify: false,
    rolldownOptions: { input: { main: 'test/fuzz/main.ts', worker: 'test/fuzz/worker.ts' } },
  },
});
