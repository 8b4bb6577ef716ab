import type { ComponentName, Manifest } from '../format/manifest';
import { Arena } from '../gpu/buffers';
import type { Gpu } from '../gpu/device';
import type { KernelSpec } from '../gpu/kernel';
import type { GpuMemory } from '../gpu/variants';
import { Generation } from './generation';
import { ImageTokenizer } from './imageTokenizer';
import { PaperGpu } from './paper';
import { Sampler } from './sampler';
import { Transformer } from './transformer';
import { Weights } from './weights';

/** What drawing takes of a device. */
export interface DrawingPlan {
  readonly memory: GpuMemory;
  /** Every kernel that drawing one picture uses. */
  readonly kernels: readonly KernelSpec[];
}

/** Components whose tensors drawing needs on the GPU, in the order in which they are read. */
export function drawingComponents({ components }: Manifest): ComponentName[] {
  const decoder = (['imageDecoder', 'imageDecoderDwt'] as const).find((name) => components[name]);
  return ['transformer', ...(decoder ? [decoder] : [])];
}

/**
 * What a model and the drawing of pictures take of this device, worked out on paper: nothing is downloaded or allocated.
 * @param candidates drawn at once
 * @throws RudolphError `out-of-memory` when a part exceeds the device's limits, `unsupported`, `bad-model`.
 */
export async function planDrawing(gpu: Gpu, manifest: Manifest, candidates = 1): Promise<DrawingPlan> {
  const one = await onPaper(gpu, manifest, candidates);
  const more = await onPaper(gpu, manifest, candidates + 1);
  const { kernels, weights, cache, activations, imageTokenizer, reading } = one;
  const total = weights + cache + activations + imageTokenizer;
  const perCandidate = Math.max(0, more.cache + more.activations - cache - activations);
  return {
    kernels,
    memory: { candidates, weights, cache, activations, imageTokenizer, total, perCandidate, reading },
  };
}

type Parts = Omit<GpuMemory, 'candidates' | 'total' | 'perCandidate'> & { readonly kernels: readonly KernelSpec[] };

async function onPaper(real: Gpu, manifest: Manifest, candidates: number): Promise<Parts> {
  const { config, components } = manifest;
  const gpu = new PaperGpu(real);
  const made: { dispose(): void }[] = [];
  const keep = <T extends { dispose(): void }>(item: T): T => {
    made.push(item);
    return item;
  };
  /** Bytes that are added by some work. */
  const added = async (work: () => Promise<unknown>): Promise<number> => {
    const before = gpu.liveBytes;
    await work();
    return gpu.liveBytes - before;
  };
  try {
    const loaded = keep(Weights.reserve(gpu.device, manifest, drawingComponents(manifest)));
    const transformer = keep(Transformer.create(gpu, config, loaded));
    const sampler = await Sampler.create(gpu);
    const weights = gpu.liveBytes;
    const imageTokenizer = await added(async () => {
      const images = keep(await ImageTokenizer.create(gpu, loaded, manifest));
      if (components.imageDecoder) await images.prepare('decode');
      else if (components.imageDecoderDwt) await images.prepare('dwt');
    });
    const arena = keep(new Arena(gpu.device));
    let drawing!: Generation;
    const cache = await added(async () => {
      drawing = new Generation(arena, transformer, sampler, {
        prefix: new Array<number>(config.leftLength).fill(0),
        end: config.leftLength + config.imageSide ** 2,
        count: candidates,
        stream: 'image',
        classes: config.imageVocabulary - config.imageSpecialTokens,
        sampling: { seed: 0, topK: 0, topP: 1, temperature: 1 },
      });
    });
    const activations = [];
    for (const record of [
      (own: Arena) => drawing.recordPrefixes(own),
      (own: Arena) => drawing.recordBatch(own, 0, drawing.together),
    ]) {
      const own = keep(new Arena(gpu.device));
      activations.push(await added(() => record(own)));
      own.dispose();
    }
    const kernels = gpu.specs;
    const reading = await added(async () => {
      if (!components.imageEncoder) return;
      const encoder = keep(Weights.reserve(gpu.device, manifest, ['imageEncoder']));
      await keep(await ImageTokenizer.create(gpu, encoder, manifest)).prepare('encode');
    });
    return { weights, cache, activations: Math.max(...activations), imageTokenizer, reading, kernels };
  } finally {
    for (const item of made) item.dispose();
  }
}
