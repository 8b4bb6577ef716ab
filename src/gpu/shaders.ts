/** Every WGSL file of `shaders/`, bundled as text: key `layer_norm` or `parts/weights_fp16`. */
const files: Record<string, string> = import.meta.glob('../../shaders/**/*.wgsl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

const sources = new Map(
  Object.entries(files).map(([path, text]) => [path.replace(/^.*shaders\//, '').replace(/\.wgsl$/, ''), text]),
);

/** The text of one WGSL file. */
export function shaderSource(name: string): string {
  const text = sources.get(name);
  if (text === undefined)
    throw new Error(`shaders/${name}.wgsl does not exist; there are ${[...sources.keys()].join(', ')}`);
  return text;
}

/** The names of all kernels and parts. */
export function shaderNames(): string[] {
  return [...sources.keys()].sort();
}

/**
 * One shader from a kernel and the parts it calls into: `enable` directives first (WGSL demands it), then the constants
 * (`const ROWS = 4u;`: what an override cannot do, such as the length of an array in registers), the parts, the kernel, with what they
 * repeat written out (see `unroll`).
 */
export function composeShader(
  kernel: string,
  parts: readonly string[] = [],
  consts: Readonly<Record<string, number>> = {},
): string {
  const texts = [...parts.map((part) => shaderSource(`parts/${part}`)), shaderSource(kernel)];
  const enables = new Set<string>();
  const bodies = texts.map((text) =>
    text.replace(/^\s*enable\s+([\w\s,]+);[^\n]*\n/gm, (_, names: string) => {
      for (const name of names.split(',')) enables.add(name.trim());
      return '';
    }),
  );
  return [
    ...[...enables].map((name) => `enable ${name};`),
    ...Object.entries(consts).map(([name, value]) => `const ${name} = ${value}u;`),
    ...bodies.map((body) => unroll(body, consts)),
  ].join('\n');
}

/**
 * Writes out `#each n COUNT … #end`: the lines between once for each n below COUNT, with `$n` for it; n is any letter, COUNT a number, one of the
 * constants, or a fraction of it (`HEAD/4`). What is between may be such lines again. For compilers that unroll no loops and so keep arrays in memory.
 */
function unroll(text: string, consts: Readonly<Record<string, number>>): string {
  const once = text.replace(
    /^[ \t]*#each ([a-z]) (\w+)(?:\/(\d+))?\n([^#]*)^[ \t]*#end\n/gm,
    (_, letter: string, name: string, parts: string | undefined, lines: string) => {
      const count = (consts[name] ?? Number(name)) / Number(parts ?? 1);
      if (!Number.isInteger(count)) throw new Error(`#each ${letter} ${name}: no such constant, or no whole number`);
      return Array.from({ length: count }, (_, k) => lines.replaceAll(`$${letter}`, String(k))).join('');
    },
  );
  return once === text ? text : unroll(once, consts);
}
