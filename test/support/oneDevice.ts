import type * as Dawn from '../../cli/dawn';
import type { Gpu } from '../../src/gpu/device';

/**
 * Lets all commands of a test process share a device, with its compiled kernels: on SwiftShader, which keeps none between devices, a command
 * would take seconds for them. In the test's file:
 *
 * ```ts
 * vi.mock('../../cli/dawn', async (original) => (await import('../support/oneDevice')).oneDevice(await original()));
 * ```
 */
export function oneDevice(dawn: typeof Dawn): typeof Dawn {
  const devices = new Map<string, Promise<Gpu>>();
  return {
    ...dawn,
    openNodeGpu: async (options) => {
      const key = JSON.stringify(options?.variants ?? 'auto');
      const device = devices.get(key) ?? dawn.openNodeGpu(options);
      devices.set(key, device);
      return { ...(await device), dispose: () => undefined };
    },
  };
}
