import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

/**
 * SwiftShader, a Vulkan driver in software, lies inside the npm package `@sparticuz/chromium` (a devDependency: present
 * in a clone, Linux x64 only), together with a Vulkan loader. This unpacks them into `node_modules/.cache`.
 */
export interface SwiftShader {
  /** Absolute path of `libvulkan.so.1`. */
  readonly loader: string;
  /** Absolute path of the driver's description, for `VK_ICD_FILENAMES`. */
  readonly icd: string;
}

/** The folder with the package's archives, or null where it is not installed or not for this machine. */
export function chromiumArchives(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  try {
    const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
    const folder = resolve(dirname(entry), '..', '..', 'bin');
    return existsSync(join(folder, 'swiftshader.tar.br')) ? folder : null;
  } catch {
    return null;
  }
}

/**
 * Unpacks files once into a cache folder inside `node_modules` and returns that folder. `fill` writes into a temporary
 * folder that is renamed at the end, so that two processes starting together never see a half-unpacked one.
 */
export function unpackOnce(archives: string, name: string, fill: (folder: string) => void): string {
  const { version } = JSON.parse(readFileSync(join(archives, '..', 'package.json'), 'utf8')) as { version: string };
  const cache = resolve(archives, '..', '..', '..', '.cache', 'rudolph-web');
  const target = join(cache, `${name}-${version}`);
  if (existsSync(target)) return target;
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, `${name}-unpacking-`));
  try {
    fill(temporary);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** Writes the regular files of a Brotli-compressed tar archive into a folder. */
export function unpackTar(archive: string, folder: string): void {
  const tar = brotliDecompressSync(readFileSync(archive));
  const field = (at: number, length: number): string => tar.toString('latin1', at, at + length).replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const name = field(at, 100);
    const mode = parseInt(field(at + 100, 8), 8);
    const byteLength = parseInt(field(at + 124, 12), 8);
    const isFile = field(at + 156, 1) === '0' || tar[at + 156] === 0;
    if (isFile && !name.split('/').includes('..')) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, tar.subarray(at + 512, at + 512 + byteLength), { mode: mode & 0o755 });
    }
    at += 512 + Math.ceil(byteLength / 512) * 512;
  }
}

/** Unpacks SwiftShader and its Vulkan loader, once; null where the npm package is missing. */
export function unpackSwiftShader(): SwiftShader | null {
  const archives = chromiumArchives();
  if (!archives) return null;
  const folder = unpackOnce(archives, 'swiftshader', (to) => unpackTar(join(archives, 'swiftshader.tar.br'), to));
  return { loader: join(folder, 'libvulkan.so.1'), icd: join(folder, 'vk_swiftshader_icd.json') };
}
