import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import type { Plugin } from 'vite';

/** Not part of the page: the library fetches and keeps models itself, and large previews are not worth keeping. */
const NOT_KEPT = /^models\/|\.map$|\.html$/;

/** Writes `sw.js`, the service worker of `serviceWorker.js`, with the list of everything that the page consists of. */
export function offlinePage(): Plugin {
  let publicFolder = '';
  return {
    name: 'offline-page',
    apply: 'build',
    configResolved: (config) => {
      publicFolder = config.publicDir;
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const hash = createHash('sha256');
        const extra = readdirSync(publicFolder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => `${entry.parentPath}/${entry.name}`.slice(publicFolder.length + 1).replaceAll('\\', '/'))
          .filter((file) => !NOT_KEPT.test(file));
        for (const file of extra) hash.update(readFileSync(`${publicFolder}/${file}`));
        for (const part of Object.values(bundle)) hash.update(part.type === 'chunk' ? part.code : part.source);
        const files = [...Object.keys(bundle).filter((file) => !NOT_KEPT.test(file)), ...extra].sort();
        const source = readFileSync(new URL('./serviceWorker.js', import.meta.url), 'utf8')
          .replace('__VERSION__', hash.digest('hex').slice(0, 16))
          .replace("['__FILES__']", JSON.stringify(files));
        this.emitFile({ type: 'asset', fileName: 'sw.js', source });
      },
    },
  };
}
