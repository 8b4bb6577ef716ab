// The fault suite: downloads, storage and tabs that fail in every way, over and over (test/faults/). Needs no build.
// Usage: npm run test:faults -- [--help]
import { runnerImport } from 'vite';

const { module } = await runnerImport('./test/faults/main.ts');
process.exitCode = await module.main(process.argv.slice(2));
