// Holds the walls of docs/architecture.md: which folder may import which, which globals a folder may name, and no circles.
// Complements the tsconfigs, which keep DOM, WebGPU and Node types out of where they do not belong.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const PURE = ['errors', 'notice', 'format', 'text', 'image'];

/** For each layer: what it may import, and (second) what it may only import types of. */
const LAYERS = {
  errors: [[]],
  notice: [[]],
  format: [PURE],
  text: [PURE],
  image: [PURE],
  convert: [[...PURE, 'convert']],
  gpu: [[...PURE, 'gpu']],
  model: [[...PURE, 'gpu', 'model']],
  tasks: [[...PURE, 'gpu', 'model', 'tasks']],
  store: [[...PURE, 'store']],
  files: [[...PURE, 'convert', 'store', 'files']],
  worker: [[...PURE, 'gpu', 'model', 'tasks', 'store', 'files', 'worker']],
  client: [
    ['errors', 'client'],
    ['notice', 'worker', 'tasks', 'format', 'image', 'gpu'],
  ],
  index: [
    ['errors', 'client'],
    ['notice', 'worker', 'tasks', 'format', 'image', 'gpu'],
  ],
  widget: [['index', 'widget']],
  demo: [['index', 'widget', 'demo']],
  cli: [[...PURE, 'convert', 'gpu', 'model', 'tasks', 'cli']],
};

/** Names that only these layers may use. */
const GLOBALS = [
  [/\bGPU[A-Z]\w*|\bnavigator\.gpu\b/, ['gpu', 'model', 'tasks', 'worker', 'cli']],
  // The library's models, and the page's own history.
  [/\bindexedDB\b|['"]idb-keyval['"]/, ['store', 'demo']],
  [/\bHTML\w*Element\b|\bdocument\.|\bwindow\./, ['widget', 'demo']],
  [/['"]node:/, ['cli']],
  // Texts of models and of visitors become text nodes, and nothing becomes code: nobody may (docs/security.md).
  [
    /\b(?:inner|outer)HTML\b|\binsertAdjacentHTML\b|\bunsafe\w*\(|\bdocument\.write|\bsrcdoc\b|\beval\(|\bnew Function\b/,
    [],
  ],
];

const files = ['src', 'cli'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name).replaceAll('\\', '/')),
);
const layerOf = (file) => file.match(/^(?:src\/)?(\w+)/)[1];
const problems = [];
/** file → files whose values it imports */
const graph = new Map();

for (const file of files) {
  const text = readFileSync(file, 'utf8');
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$|\s\/\/ .*$/gm, '');
  const layer = layerOf(file);
  if (!LAYERS[layer]) {
    problems.push(`${file}: the folder "${layer}" has no rule in scripts/check-imports.mjs`);
    continue;
  }
  const [may, mayTypes = []] = LAYERS[layer];
  const targets = [];
  for (const match of code.matchAll(
    /\b(import|export)\s+(?:([^'";]*?)\sfrom\s+)?['"](\.[^'"]*)['"]|\bimport\(\s*['"](\.[^'"]*)['"]/g,
  )) {
    const clause = match[2] ?? '';
    const names = clause
      .match(/^\{([\s\S]*)\}$/)?.[1]
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    // `?worker&url` asks the bundler for the address of a worker: nothing of it is run here.
    const onlyAddress = (match[3] ?? match[4]).endsWith('?worker&url');
    const onlyTypes =
      onlyAddress ||
      /^type\s/.test(clause) ||
      (names !== undefined && names.length > 0 && names.every((name) => name.startsWith('type ')));
    const path = normalize(join(dirname(file), (match[3] ?? match[4]).replace(/\?.*$/, ''))).replaceAll('\\', '/');
    const target = [path, `${path}.ts`, `${path}/index.ts`].find((name) => files.includes(name));
    if (!target) {
      if (!existsSync(path)) problems.push(`${file}: imports ${path}, which does not exist`);
      continue;
    }
    if (!onlyTypes) targets.push(target);
    const to = layerOf(target);
    if (!may.includes(to) && !(onlyTypes && mayTypes.includes(to))) {
      const why = mayTypes.includes(to)
        ? `only types of ${to}`
        : [...may, ...mayTypes.map((name) => `${name} (types)`)].join(', ') || 'nothing';
      problems.push(`${file}: imports ${target}; ${layer} may import ${why}`);
    }
  }
  graph.set(file, targets);
  for (const [pattern, layers] of GLOBALS) {
    const found = code.match(pattern);
    if (found && !layers.includes(layer))
      problems.push(`${file}: uses ${found[0]}; ${layers.length > 0 ? `only ${layers.join(', ')} may` : 'nobody may'}`);
  }
}

const state = new Map();
function visit(file, path) {
  if (state.get(file) === 'done') return;
  if (state.get(file) === 'open') {
    problems.push(`circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    return;
  }
  state.set(file, 'open');
  for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
  state.set(file, 'done');
}
for (const file of graph.keys()) visit(file, []);

if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\n${problems.length} problems with imports\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`imports of ${files.length} files keep to the layers\n`);
}
