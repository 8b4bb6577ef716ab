import { afterAll, beforeAll, describe, test } from 'vitest';
import type { MaskKind, ModelConfig } from '../../src/format/manifest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { f32, packParams } from '../../src/gpu/kernel';
import { KeyValueCache, ringLength } from '../../src/model/cache';
import { DIRECT_PAIRS } from '../../src/model/transformer';
import { runAndRead } from '../support/arrays';
import { expectClose, randomArray } from '../support/compare';
import { openGpu } from '../support/gpu';
import { allowedKeys, attend } from '../twins/transformer';

const HEADS = 3;
const LEFT = 5;
const SIDE = 9; // 81 image tokens: more keys than one round of 64
const RIGHT = 6;
const LENGTH = LEFT + SIDE * SIDE + RIGHT;

const config = (head: number, kernel: number, rightSeesLeft: boolean): ModelConfig => ({
  layers: 4,
  hidden: HEADS * head,
  heads: HEADS,
  leftLength: LEFT,
  imageSide: SIDE,
  rightLength: RIGHT,
  textVocabulary: 100,
  textSpecialTokens: 0,
  imageVocabulary: 10,
  imageSpecialTokens: 0,
  convKernel: kernel,
  lastConvKernel: kernel + 2,
  layerMasks: ['row', 'column', 'conv', 'lastConv'],
  masks: { form: 'standard', rightSeesLeft },
});

describe('attention', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ variants: 'base' });
  });
  afterAll(() => gpu.dispose());

  const kernelNumber: Record<MaskKind, number> = { row: 0, column: 1, conv: 2, lastConv: 2 };

  type KernelName = 'attention' | 'attention_direct';

  /** Attends with the queries at `positions`, all other keys lying in the cache as the engine would have put them. */
  async function attendAt(
    name: KernelName,
    c: ModelConfig,
    kind: MaskKind,
    positions: readonly number[],
    shape: { prefixLength: number; rings: boolean },
    data: { q: Float32Array<ArrayBuffer>; keys: Float32Array<ArrayBuffer>; values: Float32Array<ArrayBuffer> },
  ): Promise<Float32Array[]> {
    const arena = new Arena(gpu.device);
    const { hidden } = c;
    const head = hidden / HEADS;
    const layer = c.layerMasks.indexOf(kind);
    const kernel = await gpu.kernels.get({
      name,
      parts: ['cache', 'geometry_standard'],
      consts: { HEAD: head },
    });
    const results: Float32Array[] = [];
    try {
      for (const position of positions) {
        const cache = new KeyValueCache(arena, c, {
          prefixes: 1,
          prefixLength: shape.prefixLength,
          sequences: 1,
          tailLength: LENGTH - shape.prefixLength,
          rings: shape.rings,
        });
        const ring = new Uint32Array(cache.uniform(layer, 1, false))[2]!;
        for (let p = 0; p <= position; p++) {
          const slot = p < shape.prefixLength ? p : shape.prefixLength + ((p - shape.prefixLength) % ring);
          gpu.device.queue.writeBuffer(
            cache.keys[layer]!,
            slot * hidden * 4,
            data.keys.subarray(p * hidden, (p + 1) * hidden),
          );
          gpu.device.queue.writeBuffer(
            cache.values[layer]!,
            slot * hidden * 4,
            data.values.subarray(p * hidden, (p + 1) * hidden),
          );
        }
        const out = arena.buffer('out', hidden * 4);
        const side = kind === 'lastConv' ? c.lastConvKernel : c.convKernel;
        const dispatch = kernel.dispatch(arena, {
          params: packParams([HEADS, f32(1 / Math.sqrt(head)), ...(name === 'attention' ? [] : [0, HEADS])]),
          bindings: [
            arena.uniform(
              'geometry',
              packParams([LEFT, SIDE, kernelNumber[kind], side, c.masks.rightSeesLeft ? 1 : 0, 0]),
            ),
            arena.uniform('cache', cache.uniform(layer, 1, false)),
            arena.upload('state', Uint32Array.of(position, 0, 0, 0, 0, 0, 0, 0)),
            arena.upload('q', data.q),
            cache.keys[layer]!,
            cache.values[layer]!,
            out,
          ],
          workgroups: name === 'attention' ? [HEADS, 1] : [Math.ceil(HEADS / DIRECT_PAIRS)],
        });
        results.push(await runAndRead(gpu, [dispatch], out, hidden));
      }
    } finally {
      arena.dispose();
    }
    return results;
  }

  const cases = [
    // Corners, edges and the middle of the picture; first and last positions of the texts.
    { kind: 'row', kernel: 3, head: 4 },
    { kind: 'column', kernel: 3, head: 40 },
    { kind: 'conv', kernel: 5, head: 16 },
    { kind: 'lastConv', kernel: 5, head: 68 },
  ] as const;
  const names: readonly KernelName[] = ['attention', 'attention_direct'];
  test.each(names.flatMap((name) => cases.map((one) => ({ name, ...one }))))(
    '$name: $kind, heads of $head, against the definition',
    async ({ name, kind, kernel, head }) => {
      for (const rightSeesLeft of [true, false]) {
        const c = config(head, kernel, rightSeesLeft);
        const positions = [
          0,
          LEFT - 1,
          LEFT,
          LEFT + 1,
          LEFT + SIDE - 1,
          LEFT + SIDE,
          LEFT + 40,
          LEFT + SIDE * SIDE - 1,
          LEFT + SIDE * SIDE,
          LENGTH - 1,
        ];
        const data = {
          q: randomArray(1, c.hidden, 3),
          keys: randomArray(2, LENGTH * c.hidden, 2),
          values: randomArray(3, LENGTH * c.hidden),
        };
        const image = positions.filter((p) => p >= LEFT && p < LEFT + SIDE * SIDE);
        for (const [asked, shape] of [
          [positions, { prefixLength: LENGTH, rings: false }],
          [positions, { prefixLength: 2, rings: false }],
          [image, { prefixLength: LEFT, rings: true }],
        ] as const) {
          const got = await attendAt(name, c, kind, asked, shape, data);
          asked.forEach((position, n) => {
            const g = {
              left: LEFT,
              side: SIDE,
              right: RIGHT,
              kernel: kind === 'lastConv' ? kernel + 2 : kernel,
              rightSeesLeft,
            };
            const allowed = allowedKeys(g, kind === 'lastConv' ? 'conv' : kind, position);
            for (let h = 0; h < HEADS; h++) {
              const slice = (array: Float32Array, p: number): Float32Array =>
                array.subarray(p * c.hidden + h * head, p * c.hidden + (h + 1) * head);
              const rows = (array: Float32Array): Float32Array[] =>
                Array.from({ length: LENGTH }, (_, p) => slice(array, p));
              const expected = attend(slice(data.q, 0), rows(data.keys), rows(data.values), allowed);
              expectClose(
                got[n]!.subarray(h * head, (h + 1) * head),
                expected,
                2e-5,
                `position ${position}, head ${h}, prefix ${shape.prefixLength}`,
              );
            }
          });
        }
      }
    },
  );

  test('a ring is as long as a layer looks back', ({ expect }) => {
    const c = config(8, 7, true);
    expect(ringLength(c, 'row')).toBe(SIDE + 1);
    expect(ringLength(c, 'conv')).toBe(3 * (SIDE + 1) + 1);
    expect(ringLength(c, 'lastConv')).toBe(4 * (SIDE + 1) + 1);
    expect(ringLength(c, 'column')).toBe(SIDE * SIDE);
  });
});
