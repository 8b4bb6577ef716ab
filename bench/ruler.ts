import { Arena } from '../src/gpu/buffers';
import type { Gpu } from '../src/gpu/device';
import { type Dispatch, type DispatchSpec, Kernel } from '../src/gpu/kernel';
import copySource from './ruler/copy.wgsl?raw';
import gemmDirectSource from './ruler/gemm_direct.wgsl?raw';
import gemmSubgroupSource from './ruler/gemm_subgroup.wgsl?raw';
import gemmTiledSource from './ruler/gemm_tiled.wgsl?raw';
import multiplyAddSource from './ruler/multiply_add.wgsl?raw';
import readSource from './ruler/read.wgsl?raw';
import { timeChain, type ChainOptions } from './timing';

/** One figure of the ruler: the best of a few variants of a plain kernel. */
export interface Mark {
  readonly value: number;
  /** Which variant was the fastest. */
  readonly variant: string;
  readonly spread: number;
}

/**
 * What the device can do, measured with plain kernels of our own (bench/ruler/), not with the engine's: the figures that the engine's
 * are a fraction of.
 */
export interface Ruler {
  /** Copying, bytes read and bytes written both counted. */
  readonly copyGBs: Mark;
  /** Reading alone. */
  readonly readGBs: Mark;
  /** f32 matrix by matrix. */
  readonly gemmGflops: Mark;
  /** Multiply-adds in registers: no kernel can be faster. */
  readonly peakGflops: Mark;
}

interface Candidate {
  readonly variant: string;
  readonly source: string;
  readonly consts: Readonly<Record<string, number>>;
  readonly spec: DispatchSpec;
}

/** Measures the ruler. Takes a second or two on a GPU, some ten on a software adapter. */
export async function measureRuler(gpu: Gpu, chain: ChainOptions): Promise<Ruler> {
  const { device } = gpu;
  const { software } = gpu.adapter;
  const arena = new Arena(device);
  try {
    const best = async (amount: number, candidates: readonly Candidate[]): Promise<Mark> => {
      let mark: Mark | null = null;
      for (const { variant, source, consts, spec } of candidates) {
        const timing = await timeChain(device, [await compile(device, arena, variant, source, consts, spec)], chain);
        const value = amount / (timing.medianMs * 1e6);
        if (mark === null || value > mark.value) mark = { value, variant, spread: timing.spread };
      }
      return mark!;
    };

    // Larger than any cache: 128 MiB is what a device with default limits can bind.
    const bytes = Math.min(software ? 2 ** 25 : 2 ** 27, device.limits.maxStorageBufferBindingSize);
    const units = bytes / 16;
    const x = arena.buffer('ruler x', bytes);
    const y = arena.buffer('ruler y', bytes);
    const streams = (source: string, pers: readonly number[]): Candidate[] =>
      [64, 256].flatMap((threads) =>
        pers.map((per) => ({
          variant: `${threads} threads, ${per} each`,
          source,
          consts: { THREADS: threads, PER: per },
          spec: { bindings: [x, y], workgroups: [units / (threads * per)] },
        })),
      );
    const copyGBs = await best(2 * bytes, streams(copySource, [2, 8]));
    const readGBs = await best(bytes, streams(readSource, [8, 32]));

    const size = software ? 512 : 2048;
    const [a, b, c] = ['a', 'b', 'c'].map((name) => arena.buffer(`ruler ${name}`, size * size * 4));
    const bindings = [a!, b!, c!];
    const gemmGflops = await best(2 * size ** 3, [
      ...[1, 2].map((per) => ({
        variant: `tiled, ${4 * per} × ${4 * per} outputs each`,
        source: gemmTiledSource,
        consts: { SIZE: size, PER: per },
        spec: { bindings, workgroups: [size / (64 * per), size / (64 * per)] as [number, number] },
      })),
      ...(
        [
          [4, 1],
          [8, 1],
          [4, 2],
          [8, 2],
        ] as const
      ).map(([rows, per]) => ({
        variant: `direct, ${rows} × ${4 * per} outputs each`,
        source: gemmDirectSource,
        consts: { SIZE: size, ROWS: rows, PER: per },
        spec: { bindings, workgroups: [size / (32 * per), size / (8 * rows)] as [number, number] },
      })),
      ...(gpu.variants.subgroups ? [4, 8] : []).map((rows) => ({
        variant: `subgroups, ${rows} × 4 outputs each`,
        source: gemmSubgroupSource,
        consts: { SIZE: size, ROWS: rows },
        spec: { bindings, workgroups: [size / 32, size / rows] as [number, number] },
      })),
    ]);

    const groups = software ? 64 : 8192;
    const length = software ? 2048 : 1024;
    const peakGflops = await best(groups * 64 * length * 8 * 4 * 2, [
      {
        variant: '8 chains',
        source: multiplyAddSource,
        consts: { LENGTH: length },
        spec: { bindings: [y], workgroups: [groups] },
      },
    ]);
    return { copyGBs, readGBs, gemmGflops, peakGflops };
  } finally {
    arena.dispose();
  }
}

async function compile(
  device: GPUDevice,
  arena: Arena,
  label: string,
  source: string,
  consts: Readonly<Record<string, number>>,
  spec: DispatchSpec,
): Promise<Dispatch> {
  // Behind it: what a shader enables has to come first.
  const constants = Object.entries(consts).map(([name, value]) => `const ${name} = ${value}u;\n`);
  const module = device.createShaderModule({ label, code: source + constants.join('') });
  const pipeline = await device.createComputePipelineAsync({ label, layout: 'auto', compute: { module } });
  return new Kernel(device, { name: label }, pipeline).dispatch(arena, spec);
}
