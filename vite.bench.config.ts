import { defineConfig } from 'vite';

/** `npm run bench` and `npm run bench:browser`: dist/bench/, bundled because the engine takes its shaders from Vite. Packages stay outside. */
export default defineConfig({
  publicDir: false,
  build: {
    ssr: true,
    outDir: 'dist/bench',
    target: 'node20',
    sourcemap: true,
    minify: false,
    rolldownOptions: {
      input: { main: 'bench/main.ts', browser: 'bench/browser.ts', peerProcess: 'bench/peer/process.ts' },
    },
  },
});
