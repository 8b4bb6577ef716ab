// Makes the declarations that tsc wrote fit for every resolution: relative imports get the extension that Node's way of resolving
// demands, and files that no entry refers to (they would name packages and types that users need not have) are removed.
import { existsSync, readdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const FOLDER = 'dist/lib/types';
const kept = new Set();

function visit(file) {
  if (kept.has(file)) return;
  kept.add(file);
  const text = readFileSync(file, 'utf8').replace(/(\bfrom |\bimport\()(['"])(\.[^'"]*)\2/g, (_, word, quote, path) => {
    const target = join(dirname(file), path);
    const [found, ending] = existsSync(`${target}.d.ts`)
      ? [`${target}.d.ts`, '.js']
      : [`${target}/index.d.ts`, '/index.js'];
    visit(found);
    return `${word}${quote}${path}${ending}${quote}`;
  });
  writeFileSync(file, text);
}

visit(join(FOLDER, 'index.d.ts'));
visit(join(FOLDER, 'widget', 'index.d.ts'));

for (const entry of readdirSync(FOLDER, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !kept.has(path)) rmSync(path);
}
for (const entry of readdirSync(FOLDER, { withFileTypes: true })) {
  if (entry.isDirectory() && readdirSync(join(FOLDER, entry.name)).length === 0) rmdirSync(join(FOLDER, entry.name));
}

for (const file of kept) {
  const foreign = readFileSync(file, 'utf8').match(/^(?:import|export) .*from ['"]([^.'"][^'"]*)['"]|\bGPU[A-Z]\w*/m);
  if (!foreign) continue;
  process.stderr.write(
    `${relative('.', file)} names ${foreign[1] ?? foreign[0]}: users of the library may not have its types\n`,
  );
  process.exitCode = 1;
}
