import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

/**
 * A shader without comments, indentation and the spaces around operators. WGSL has no strings; minus and slash keep their spaces, lest
 * `- -` become something else; the tests compare tokens.
 */
export const leanShader = (code: string): string =>
  code
    .replaceAll(/\/\/.*$/gm, '')
    .replaceAll(/^\s+|\s+$/gm, '')
    .replaceAll(/\n{2,}/g, '\n')
    .replaceAll(/ *([=+*<>|&!,;:(){}[\]]) */g, '$1');

/** Lean shaders for what is published: they are a third of the worker. */
export function leanShaders(): Plugin {
  return {
    name: 'lean-shaders',
    enforce: 'pre',
    apply: 'build',
    load(id) {
      if (!id.endsWith('.wgsl?raw')) return null;
      return `export default ${JSON.stringify(`${leanShader(readFileSync(id.replace(/\?raw$/, ''), 'utf8'))}\n`)};`;
    },
  };
}
