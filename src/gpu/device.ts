import { RudolphError } from '../errors';
import { abortable } from './abortable';
import { DeviceFailure } from './deviceFailure';
import { KernelCache, type Kernels } from './kernel';
import { type Picks, TimedTiles, type Tiles } from './tiles';
import { type AdapterDescription, BASE_VARIANTS, type VariantChoice, type Variants } from './variants';

export type { AdapterDescription, Variants };

export interface Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly variants: Variants;
  readonly kernels: Kernels;
  /** Which form of a kernel is fastest here; absent where there is nothing to choose from: on software adapters, and on paper. */
  readonly tiles?: Tiles;
  /** Knows when the device is lost, or refuses a command. */
  readonly failure: DeviceFailure;
  /** Destroys the device and with it everything made on it. */
  dispose(): void;
}

export interface GpuOptions {
  /** `auto` by default. */
  readonly variants?: VariantChoice;
  readonly powerPreference?: GPUPowerPreference;
  /** Remembers from one visit to the next which forms of kernels were the fastest. */
  readonly picks?: Picks;
}

/** Lanes of the subgroups that `matmul_subgroup` and `conv2d_subgroup` are written for. */
const SUBGROUP_LANES = 8;

/**
 * Requests an adapter and a device with default limits and only the features that the chosen variants need.
 * @param api `navigator.gpu`, or Dawn's in Node.
 * @throws RudolphError `no-webgpu` when there is no API or adapter, or a variant was demanded that the adapter cannot do.
 */
export async function requestGpu(api: GPU | undefined, options: GpuOptions = {}): Promise<Gpu> {
  if (!api) {
    throw new RudolphError(
      'no-webgpu',
      'this browser has no WebGPU. Use Chrome or Edge 113 or newer, Safari 26 or newer or Firefox 141 or newer, over https:// or on localhost',
    );
  }
  const adapter = await api.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' });
  if (!adapter) {
    throw new RudolphError(
      'no-webgpu',
      'WebGPU is here, but no graphics adapter answered: the driver may be blocked (see chrome://gpu) or hardware acceleration switched off',
    );
  }
  const choice = options.variants ?? 'auto';
  const description = describe(adapter.info);
  const can = availableVariants(adapter);
  const variants: Variants =
    choice === 'auto'
      ? // In software a load of two halves in a u32 is one, and two of f16 are two.
        { ...can, f16: can.f16 && !description.software }
      : { ...BASE_VARIANTS, ...(choice === 'base' ? {} : choice) };
  for (const [variant, missing] of [
    ['f16', 'has no shader-f16'],
    ['subgroups', 'is no software adapter with subgroups of 8 lanes'],
  ] as const) {
    if (variants[variant] && !can[variant])
      throw new RudolphError('no-webgpu', `the ${variant} variants were asked for, but this adapter ${missing}`, {
        variant,
      });
  }
  const requiredFeatures: GPUFeatureName[] = [];
  if (variants.f16) requiredFeatures.push('shader-f16');
  if (variants.subgroups) requiredFeatures.push('subgroups');
  const device = await adapter.requestDevice({ label: 'rudolph', requiredFeatures });
  const failure = new DeviceFailure(device);
  return {
    device,
    adapter: description,
    variants,
    kernels: new KernelCache(device),
    ...(description.software
      ? {}
      : { tiles: new TimedTiles(device, failure, JSON.stringify([description, variants]), options.picks) }),
    failure,
    dispose: () => {
      failure.expectLoss();
      device.destroy();
    },
  };
}

/** The variants that an adapter can do, be they faster on it or not. */
export function availableVariants({ features, info }: GPUAdapter): Variants {
  return {
    f16: features.has('shader-f16'),
    subgroups:
      describe(info).software &&
      features.has('subgroups') &&
      info.subgroupMinSize === SUBGROUP_LANES &&
      info.subgroupMaxSize === SUBGROUP_LANES,
  };
}

function describe({ vendor, architecture, device, description }: GPUAdapterInfo): AdapterDescription {
  const software = /swiftshader|llvmpipe|software|basic render|warp/i.test(
    `${vendor} ${architecture} ${device} ${description}`,
  );
  return { vendor, architecture, device, description, software };
}

/**
 * Another device in the place of one that was lost. The browser may need a while until its graphics process is there again.
 * @throws RudolphError `device-lost` when there is none for about five seconds; the signal's reason.
 */
export async function requestGpuAgain(
  api: GPU | undefined,
  options: GpuOptions = {},
  { signal, waits = [0, 300, 1200, 3500] }: { readonly signal?: AbortSignal; readonly waits?: readonly number[] } = {},
): Promise<Gpu> {
  let last: unknown;
  for (const wait of waits) {
    await abortable(new Promise((resolve) => setTimeout(resolve, wait)), signal);
    try {
      return await abortable(requestGpu(api, options), signal);
    } catch (error) {
      signal?.throwIfAborted();
      last = error;
    }
  }
  throw new RudolphError(
    'device-lost',
    `the graphics device was lost, and the browser gives no other one (${last instanceof Error ? last.message : String(last)}): reload the page, or start the browser anew`,
    { replaceable: false },
    { cause: last },
  );
}
