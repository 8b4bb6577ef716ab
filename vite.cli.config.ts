import { defineConfig } from 'vite';

/** The command line: dist/cli/main.js and one file a command; packages stay outside, in node_modules. */
export default defineConfig({
  publicDir: false,
  build: {
    ssr: 'cli/main.ts',
    outDir: 'dist/cli',
    target: 'node20',
    sourcemap: true,
    minify: false,
  },
});
