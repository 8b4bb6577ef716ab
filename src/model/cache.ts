import { RudolphError } from '../errors';
import type { MaskKind, ModelConfig } from '../format/manifest';
import type { Arena } from '../gpu/buffers';
import { packParams } from '../gpu/kernel';

/** Keys and values of all layers are kept below this where several sequences share the work: more gains little time. */
export const CACHE_BYTES = 2 ** 30;

export interface CacheShape {
  /** P prefixes, each computed once and shared by the sequences that continue it. */
  readonly prefixes: number;
  readonly prefixLength: number;
  readonly sequences: number;
  /** Positions behind the prefix. */
  readonly tailLength: number;
  /** true while only image tokens are added: a layer then keeps the last tokens it can look back to, no more. */
  readonly rings: boolean;
}

/**
 * Slots that a layer's tail needs while a picture is drawn: a row layer looks back d tokens, a box layer to the corner of
 * its box, a column layer to the first row.
 */
export function ringLength(config: ModelConfig, kind: MaskKind): number {
  const side = config.imageSide;
  if (config.masks.form === 'bitset' || kind === 'column') return side * side;
  if (kind === 'row') return side + 1;
  const half = Math.floor((kind === 'conv' ? config.convKernel : config.lastConvKernel) / 2);
  return half * (side + 1) + 1;
}

function tailSlots(config: ModelConfig, shape: CacheShape, layer: number): number {
  const length = shape.rings
    ? Math.min(shape.tailLength, ringLength(config, config.layerMasks[layer]!))
    : shape.tailLength;
  return Math.max(1, length);
}

/** Keys and values of all layers, f32: (slots, hidden) each; which slot is whose, says shaders/parts/cache.wgsl. */
export class KeyValueCache {
  readonly shape: CacheShape;
  readonly keys: readonly GPUBuffer[];
  readonly values: readonly GPUBuffer[];
  readonly #config: ModelConfig;

  constructor(arena: Arena, config: ModelConfig, shape: CacheShape) {
    this.shape = shape;
    this.#config = config;
    const bytes = config.layerMasks.map((_, layer) => KeyValueCache.layerBytes(config, shape, layer));
    this.keys = bytes.map((byteLength, layer) => arena.buffer(`keys of layer ${layer}`, byteLength));
    this.values = bytes.map((byteLength, layer) => arena.buffer(`values of layer ${layer}`, byteLength));
  }

  /** Bytes of a layer's keys; its values take as many. */
  static layerBytes(config: ModelConfig, shape: CacheShape, layer: number): number {
    return (
      (shape.prefixes * shape.prefixLength + shape.sequences * tailSlots(config, shape, layer)) * config.hidden * 4
    );
  }

  /** Bytes of keys and values of all layers. */
  static totalBytes(config: ModelConfig, shape: CacheShape): number {
    return config.layerMasks.reduce((sum, _, layer) => sum + 2 * KeyValueCache.layerBytes(config, shape, layer), 0);
  }

  /**
   * How many of the shape's sequences fit the largest binding and CACHE_BYTES: a multiple of `together`, which divides
   * `shape.sequences`. The first `together` may exceed CACHE_BYTES.
   * @throws `out-of-memory` when not even so many fit a binding.
   */
  static sequencesThatFit(config: ModelConfig, shape: CacheShape, bindingBytes: number, together = 1): number {
    let fitting = shape.sequences;
    const fits = (): boolean => {
      const part = { ...shape, sequences: fitting };
      if (fitting > together && KeyValueCache.totalBytes(config, part) > CACHE_BYTES) return false;
      return config.layerMasks.every((_, layer) => KeyValueCache.layerBytes(config, part, layer) <= bindingBytes);
    };
    while (fitting > 0 && !fits()) fitting -= together;
    if (fitting === 0) {
      throw new RudolphError(
        'out-of-memory',
        `${together === 1 ? 'one sequence' : `${together} sequences`} of ${shape.prefixLength + shape.tailLength} positions need a larger binding than this device's ${bindingBytes} bytes`,
      );
    }
    return fitting;
  }

  /** The uniform `Cache` of shaders/parts/cache.wgsl for one layer. */
  uniform(layer: number, rowsPerSequence: number, fillingPrefixes: boolean): ArrayBuffer {
    const { prefixLength, prefixes } = this.shape;
    return packParams([
      prefixLength,
      prefixes,
      tailSlots(this.#config, this.shape, layer),
      rowsPerSequence,
      fillingPrefixes ? 1 : 0,
    ]);
  }
}
