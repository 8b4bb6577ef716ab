import { defineConfig } from 'vite';

/** The command line: dist/cli/main.js, index.js for programs, and one file a command; packages stay outside, in node_modules. */
export default defineConfig({
  publicDir: false,
  build: {
    ssr: true,
    rolldownOptions: { input: ['cli/main.ts', 'cli/index.ts'] },
    outDir: 'dist/cli',
    target: 'node20',
    sourcemap: true,
    minify: false,
  },
});
