import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

/**
 * Shaders without comments, indentation and the spaces around operators, for what is published: they are a third of the worker. WGSL has no
 * strings; minus and slash keep their spaces, lest `- -` or `/ *` become something else.
 */
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
        .replaceAll(/\n{2,}/g, '\n')
        .replaceAll(/ *([=+*<>|&!,;:(){}[\]]) */g, '$1');
      return `export default ${JSON.stringify(`${lean}\n`)};`;
    },
  };
}
