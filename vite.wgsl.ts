import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

/** Shaders without comments and indentation, for what is published: they are a third of the worker. (WGSL has no strings.) */
export function leanShaders(): Plugin {
  return {
    name: 'lean-shaders',
    enforce: 'pre',
    apply: 'build',
    load(id) {
      if (!id.endsWith('.wgsl?raw')) return null;
      const code = readFileSync(id.replace(/\?raw$/, ''), 'utf8');
      const lean = code
        .replaceAll(/\/\/.*$/gm, '')
        .replaceAll(/^\s+|\s+$/gm, '')
        .replaceAll(/\n{2,}/g, '\n');
      return `export default ${JSON.stringify(`${lean}\n`)};`;
    },
  };
}
