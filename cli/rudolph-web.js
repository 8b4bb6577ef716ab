#!/usr/bin/env node
// Starts the command line, which `npm run build:cli` puts together (so does `npm ci`, by the script "prepare").
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write(
    `rudolph-web: ${fileURLToPath(main)} is missing: run "npm run build:cli" in this folder first\n`,
  );
  process.exitCode = 1;
}
