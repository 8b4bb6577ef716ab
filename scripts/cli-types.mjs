// Writes the declaration of what programs may import from the command line: dist/cli/index.d.ts. It names nothing of other files.
import { readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

const { outputText, diagnostics } = ts.transpileDeclaration(readFileSync('cli/index.ts', 'utf8'), {
  fileName: 'index.ts',
  compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
});
const foreign = /\bfrom ['"]|\bimport\(/.exec(outputText);
if (foreign || diagnostics?.length) {
  process.stderr.write('cli/index.ts: its declaration needs other files, which are not published\n');
  process.exitCode = 1;
} else writeFileSync('dist/cli/index.d.ts', outputText);
