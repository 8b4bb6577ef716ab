import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImageTokenizerConfig } from '../../src/format/manifest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { recordDecoder, recordEncoder } from '../../src/model/vqgan/network';
import { ceil8, Recording, ScratchPool } from '../../src/model/vqgan/recording';
import type { GpuTensor, Weights } from '../../src/model/weights';
import { openGpu } from '../support/gpu';

interface Preset {
  readonly state_dict: Readonly<Record<string, readonly number[]>>;
}
const presets = JSON.parse(readFileSync('test/fixtures/presets.json', 'utf8')) as Record<string, Preset>;

/** The sber VQGAN. */
const CONFIG: ImageTokenizerConfig = {
  channels: 128,
  multipliers: [1, 1, 2, 4],
  residualBlocks: 2,
  zChannels: 256,
  embeddingSize: 256,
  codes: 8192,
  attentionLevels: [3],
  imageChannels: 3,
};

// The programs of the real models are recorded, not run: a device with default limits would complain about a binding or a
// dispatch that is too large while they are being recorded.
describe.each([true, false])('the full-size image tokenizer fits default limits, tiled %s', (tiled) => {
  let gpu: Gpu;
  let arena: Arena;
  const used = new Set<string>();
  beforeAll(async () => {
    gpu = await openGpu({ variants: 'base' });
    arena = new Arena(gpu.device);
  });
  afterAll(() => {
    arena.dispose();
    gpu.dispose();
  });

  /** Weights with upstream's names and shapes, all in one buffer: nothing runs. */
  function shapes(preset: string, rename: (key: string) => string | null): Weights {
    const tensors = new Map<string, GpuTensor>();
    const buffer = arena.buffer('stand-in', 512 * 512 * 9 * 2);
    for (const [key, shape] of Object.entries(presets[preset]!.state_dict)) {
      const name = rename(key);
      if (name === null) continue;
      const [out = 1, ...rest] = shape;
      const dtype = rest.length > 0 ? 'f16' : 'f32';
      const stored = rest.length === 3 ? [out, rest[1]!, rest[2]!, rest[0]!] : shape;
      tensors.set(name, { name, dtype, shape: stored, rowStride: ceil8(rest.reduce((a, b) => a * b, 1)), buffer });
    }
    const tensor = (name: string, expected?: readonly number[]): GpuTensor => {
      const found = tensors.get(name);
      if (!found) throw new Error(`no tensor ${name}`);
      if (expected) expect(found.shape, name).toEqual(expected);
      used.add(name);
      return found;
    };
    return { tensor } as unknown as Weights;
  }

  function check(recording: Recording, multiplyAdds: number): void {
    const works = recording.dispatches.map(({ work }) => work);
    expect(Math.max(...works)).toBeLessThanOrEqual(5e8);
    const total = works.reduce((a, b) => a + b, 0);
    expect(total / multiplyAdds).toBeGreaterThan(0.95);
    expect(total / multiplyAdds).toBeLessThan(1.1);
  }

  // 350M, 2.7B and 1.3B.
  test.each([
    { side: 16, decode: 38e9, encode: 21.5e9 },
    { side: 24, decode: 86e9, encode: 49e9 },
    { side: 32, decode: 153e9, encode: 88e9 },
  ])('$side × $side tokens', async ({ side, decode, encode }) => {
    gpu.device.pushErrorScope('validation');
    const plain = shapes('sber-vqgan-f8', (key) => (key.startsWith('loss.') ? null : key));
    const pool = new ScratchPool(arena);
    const codes = arena.buffer('codes', side * side * 4);
    const image = arena.buffer('image', 3 * 256 * side * side * 4);
    const decoder = new Recording(gpu, pool, plain, '', tiled);
    await recordDecoder(decoder, CONFIG, codes, side, side, image, false);
    const encoder = new Recording(gpu, pool, plain, '', tiled);
    await recordEncoder(encoder, CONFIG, image, 8 * side, 8 * side, codes);
    const unused = Object.keys(presets['sber-vqgan-f8']!.state_dict).filter(
      (key) => !used.has(key) && !key.startsWith('loss.'),
    );
    expect(unused, 'tensors that no kernel reads').toEqual([]);
    const dwt = shapes('sber-vqgan-f8-dwt', (key) => {
      const name = key.replace(/^model\./, '');
      const inner = name.startsWith('decoder.') ? name.slice('decoder.'.length) : name;
      return name.startsWith('decoder.') || name.startsWith('quantize.embed') ? `dwt.${inner}` : null;
    });
    const large = new Recording(gpu, pool, dwt, 'dwt.', tiled);
    await recordDecoder(large, CONFIG, codes, side, side, image, true);
    expect((await gpu.device.popErrorScope())?.message).toBeUndefined();
    check(decoder, decode);
    check(large, decode);
    check(encoder, encode);
  });
});
