import { defineConfig } from 'vite';

/** The library as ES modules: dist/index.js and the worker beside it; its npm packages stay imports. */
export default defineConfig({
  publicDir: false,
  base: './', // the worker is found beside the module that starts it, wherever that is served from
  worker: { format: 'es' },
  build: {
    outDir: 'dist/lib',
    target: 'es2022',
    minify: false,
    sourcemap: true,
    lib: { entry: { index: 'src/index.ts' }, formats: ['es'] },
    rolldownOptions: { external: [/^[^./]/] },
  },
});
