import { defineConfig } from 'vite';

/** `npm run eval`: dist/eval/main.js; bundled, because the engine takes its shaders from Vite. Packages stay outside. */
export default defineConfig({
  publicDir: false,
  build: {
    ssr: 'eval/main.ts',
    outDir: 'dist/eval',
    target: 'node20',
    sourcemap: true,
    minify: false,
  },
});
