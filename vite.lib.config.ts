import { defineConfig } from 'vite';
import { leanShaders } from './vite.wgsl.ts';

/**
 * What is published, as ES modules that any host can serve as they are: index.js, widget.js, what both share, what only
 * some pages need, and the worker beside them. Nothing is imported by a bare name, so that a plain page needs neither a bundler nor an import map.
 */
export default defineConfig({
  publicDir: false,
  base: './', // the worker is found beside the module that starts it, wherever that is served from
  worker: {
    format: 'es',
    plugins: () => [leanShaders()],
    // Nothing is bundled with it any more that could do without a part: no bundler needs to be told what is pure.
    rolldownOptions: { output: { entryFileNames: 'worker.js', comments: { annotation: false } } },
  },
  build: {
    outDir: 'dist/lib',
    target: 'es2022',
    minify: true,
    sourcemap: true,
    lib: { entry: { index: 'src/index.ts', widget: 'src/widget/index.ts' }, formats: ['es'] },
    rolldownOptions: {
      // What index.js and widget.js share, and what is loaded when a model's files are given.
      output: { chunkFileNames: ({ isDynamicEntry }) => (isDynamicEntry ? 'files.js' : 'client.js'), minify: true },
    },
    license: { fileName: 'LICENSES.md' },
  },
});
