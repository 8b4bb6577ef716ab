import { type Gpu, type GpuOptions, requestGpu } from '../../src/gpu/device';
import { expectKnownKernel } from './kernels';

/**
 * A device for a test: the browser's WebGPU there, Dawn in Node. Rejects where there is no adapter: a GPU test that
 * cannot run is red, never skipped. Call `dispose()` when done.
 */
export async function openGpu(options?: GpuOptions): Promise<Gpu> {
  const gpu = await requestGpu(await testApi(), options);
  // A validation error would else only show as wrong numbers.
  gpu.device.addEventListener('uncapturederror', (event) => console.error(`WebGPU: ${event.error.message}`));
  const compile = gpu.kernels.get.bind(gpu.kernels);
  gpu.kernels.get = (spec) => {
    expectKnownKernel(spec);
    return compile(spec);
  };
  return gpu;
}

/** `navigator.gpu` in a browser, Dawn's in Node. */
export async function testApi(): Promise<GPU> {
  if (typeof document !== 'undefined') return navigator.gpu;
  const { nodeGpu } = await import('../../cli/dawn');
  return nodeGpu();
}
