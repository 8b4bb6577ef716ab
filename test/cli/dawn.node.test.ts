import { beforeEach, describe, expect, it, vi } from 'vitest';
import { chromiumArchives } from '../../cli/support/swiftshader';

/** The software adapter comes in an npm package for Linux x64: elsewhere these tests say that they were skipped. */
describe.runIf(chromiumArchives() !== null)('Dawn in Node', () => {
  beforeEach(() => vi.resetModules());

  async function describeAdapter(): Promise<string> {
    const { openNodeGpu } = await import('../../cli/dawn');
    const gpu = await openNodeGpu({ variants: 'base' });
    gpu.dispose();
    return `${gpu.adapter.description} ${gpu.adapter.software}`;
  }

  // A child process of its own for this file: the Vulkan loader reads the environment whenever an instance is made.
  it('says what to install where the system has no driver and SwiftShader is not wanted', async () => {
    vi.stubEnv('VK_ICD_FILENAMES', '/nonexistent.json');
    vi.stubEnv('RUDOLPH_ADAPTER', 'system');
    await expect(describeAdapter()).rejects.toMatchObject({
      code: 'no-webgpu',
      message: expect.stringContaining('Install'),
    });
  });

  it('refuses an adapter choice that does not exist', async () => {
    vi.stubEnv('RUDOLPH_ADAPTER', 'fast');
    await expect(describeAdapter()).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining('"fast"'),
    });
  });

  it('falls back to SwiftShader where the system has no driver', async () => {
    vi.stubEnv('VK_ICD_FILENAMES', '/nonexistent.json');
    vi.stubEnv('RUDOLPH_ADAPTER', '');
    const lines: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
    expect(await describeAdapter()).toMatch(/^SwiftShader.* true$/);
    expect(lines.join('')).toContain('using SwiftShader, a slow software adapter');
    vi.restoreAllMocks();
  });

  it('takes SwiftShader when asked to', async () => {
    vi.stubEnv('RUDOLPH_ADAPTER', 'swiftshader');
    expect(await describeAdapter()).toMatch(/^SwiftShader.* true$/);
  });
});
