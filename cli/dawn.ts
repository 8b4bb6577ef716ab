import { constants } from 'node:os';
import { RudolphError } from '../src/errors';
import { type Gpu, type GpuOptions, requestGpu } from '../src/gpu/device';
import { unpackSwiftShader } from './support/swiftshader';

/** glibc's `RTLD_NODELETE`: the library stays loaded after `dlclose`. Node has no name for it. */
const RTLD_NODELETE = 0x1000;

let opened: Promise<GPU> | undefined;

/**
 * WebGPU in Node: Dawn, from the npm package `webgpu`. Takes the system's graphics adapter; where there is none (a bare
 * Linux machine without Vulkan) SwiftShader from the npm package `@sparticuz/chromium`, if that is installed, with a line
 * on stderr. With some drivers (Mesa's lavapipe) Dawn itself writes two lines about "artificially reduced" limits to stderr: it has no switch
 * for them. The environment variable `RUDOLPH_ADAPTER=system|swiftshader` demands one of the two.
 * @throws RudolphError `no-webgpu` with what to install.
 */
export function nodeGpu(): Promise<GPU> {
  opened ??= open();
  return opened;
}

/** `requestGpu` on Dawn. */
export async function openNodeGpu(options?: GpuOptions): Promise<Gpu> {
  return requestGpu(await nodeGpu(), options);
}

async function open(): Promise<GPU> {
  const choice = process.env['RUDOLPH_ADAPTER'] || 'auto';
  if (choice !== 'auto' && choice !== 'system' && choice !== 'swiftshader') {
    throw new RudolphError('bad-input', `RUDOLPH_ADAPTER is "${choice}"; it can be system or swiftshader`);
  }
  let create: (options: string[]) => GPU;
  try {
    const dawn = await import('webgpu');
    Object.assign(globalThis, dawn.globals);
    create = dawn.create;
  } catch (error) {
    throw new RudolphError(
      'no-webgpu',
      `WebGPU for Node (npm package "webgpu") cannot be loaded on ${process.platform} ${process.arch}: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  }
  if (choice !== 'swiftshader') {
    const gpu = create([]);
    if (await gpu.requestAdapter()) return gpu;
    if (choice === 'system')
      throw new RudolphError('no-webgpu', `no graphics adapter was found (RUDOLPH_ADAPTER=system). ${ADVICE}`);
  }
  if (!useSwiftShader()) {
    throw new RudolphError(
      'no-webgpu',
      `no graphics adapter was found, and the software adapter is not installed. ${ADVICE}`,
    );
  }
  const gpu = create([]);
  if (!(await gpu.requestAdapter())) {
    throw new RudolphError(
      'no-webgpu',
      `neither a graphics adapter nor the software adapter SwiftShader answered. ${ADVICE}`,
    );
  }
  if (choice === 'auto')
    process.stderr.write('rudolph-web: no graphics adapter found; using SwiftShader, a slow software adapter\n');
  return gpu;
}

const ADVICE =
  process.platform === 'linux'
    ? 'Install a Vulkan driver (Debian, Ubuntu: apt install libvulkan1 mesa-vulkan-drivers), or the npm package @sparticuz/chromium, which holds a software one for Linux x64'
    : 'Update the graphics driver';

/**
 * Points Dawn to SwiftShader: it opens `libvulkan.so.1` by name, and a library that is already loaded under that name wins
 * over a search (so no LD_LIBRARY_PATH, which only counts when it is set before the process starts). `process.dlopen`
 * complains that this is no Node addon; NODELETE keeps it loaded all the same. Where Dawn has loaded the system's loader
 * before, that one stays, and reads the driver's path from the environment just as well.
 */
function useSwiftShader(): boolean {
  const swiftShader = unpackSwiftShader();
  if (!swiftShader) return false;
  process.env['VK_ICD_FILENAMES'] = swiftShader.icd;
  process.env['VK_DRIVER_FILES'] = swiftShader.icd; // its newer name, which wins where both are set
  try {
    process.dlopen({ exports: {} }, swiftShader.loader, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch {
    // always: "Module did not self-register". If the loader really failed, no adapter answers, and that is reported.
  }
  return true;
}
