import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Arena } from '../../src/gpu/buffers';
import type { Gpu } from '../../src/gpu/device';
import { TimedTiles, type Tiles } from '../../src/gpu/tiles';
import { linearForms, recordLinear } from '../../src/model/linear';
import { runAndRead, uploadMatrix, uploadVector } from '../support/arrays';
import { expectClose, randomArray } from '../support/compare';
import { openGpu } from '../support/gpu';
import { testVariants } from '../support/variants';
import { gelu, linear } from '../twins/transformer';

/** Software adapters and GPUs get different kernels: both kinds are tested on whatever adapter is here. GPUs get none with subgroups. */
const cases = (await testVariants()).flatMap(({ name, variants }) => [
  ...(variants.subgroups ? [] : [{ name: `${name}, kernels for GPUs`, variants, software: false }]),
  { name: `${name}, kernels for software adapters`, variants, software: true },
]);

const WITH_GELU = [3, 33];

/** A product of random numbers, without a place for its outputs. */
const product = (arena: Arena, rows: number, inputs: number, columns: number) => ({
  label: 'test',
  x: arena.upload('x', randomArray(1, rows * inputs)),
  rows,
  weight: uploadMatrix(arena, 'weight', randomArray(3, columns * inputs), columns, inputs).tensor,
  bias: uploadVector(arena, 'bias', randomArray(2, columns)),
  output: 'plain' as const,
});

describe.each(cases)('matvec and matmul, $name', ({ variants, software }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    const opened = await openGpu({ variants });
    gpu = { ...opened, adapter: { ...opened.adapter, software } };
  });
  afterAll(() => gpu.dispose());

  // Rows on both sides of every switch of kernel or tile; widths that are no multiple of a tile.
  test.each([
    [1, 8, 1],
    [1, 120, 37],
    [2, 256, 64],
    [3, 120, 360],
    [5, 64, 9],
    [8, 120, 100],
    [9, 120, 33],
    [32, 64, 64],
    [33, 120, 65],
    [70, 88, 130],
  ])('%i rows, K %i, %i columns', async (rows, inputs, columns) => {
    const arena = new Arena(gpu.device);
    try {
      const x = randomArray(1, rows * inputs);
      const bias = randomArray(2, columns);
      const { tensor: weight, rounded } = uploadMatrix(
        arena,
        'weight',
        randomArray(3, columns * inputs),
        columns,
        inputs,
      );
      // Each kernel once with another output: what becomes of the sums has nothing to do with how many there are.
      for (const output of WITH_GELU.includes(rows) ? (['plain', 'gelu'] as const) : (['plain'] as const)) {
        const y = arena.buffer('y', rows * columns * 4);
        const dispatches = await recordLinear(gpu, arena, {
          label: 'test',
          x: arena.upload('x', x),
          rows,
          weight,
          bias: uploadVector(arena, 'bias', bias),
          output,
          outputBindings: [y],
        });
        const expected = linear(x, rows, rounded, bias, inputs);
        // f32 sums of K products in −1…1 against f64: about √K · 6e-8, with room for another order.
        expectClose(
          await runAndRead(gpu, dispatches, y, rows * columns),
          output === 'gelu' ? expected.map(gelu) : expected,
          2e-5,
          output,
        );
      }
    } finally {
      arena.dispose();
    }
  });

  // Software adapters have one form for each number of rows; how weights are read has nothing to do with the order of sums.
  const compared = !software && !variants.f16;
  test.each(compared ? [2, 9, 70] : [])('%i rows: what is picked changes no bit', async (rows) => {
    const [inputs, columns] = [248, 100];
    const arena = new Arena(gpu.device);
    try {
      const y = arena.buffer('y', rows * columns * 4);
      const spec = { ...product(arena, rows, inputs, columns), outputBindings: [y] };
      const computeWith = async (tiles: Tiles): Promise<Float32Array> => {
        gpu.device.queue.writeBuffer(y, 0, new Float32Array(rows * columns).fill(NaN));
        return runAndRead(gpu, await recordLinear({ ...gpu, tiles }, arena, spec), y, rows * columns);
      };
      const forms = linearForms(rows, gpu);
      expect(forms.length).toBeGreaterThan(1);
      const results = [];
      for (const form of forms) results.push(await computeWith({ pick: async () => form }));
      for (const result of results) expect(result).toEqual(results[0]);
      const timed = new TimedTiles(gpu.device, gpu.failure, 'test');
      const pick = vi.spyOn(timed, 'pick');
      expect(await computeWith(timed)).toEqual(results[0]);
      expect(forms).toContainEqual(await pick.mock.results[0]!.value);
    } finally {
      arena.dispose();
    }
  });

  test.each(compared ? [2, 4, 7] : [])('a row has the same bits alone and among %i', async (rows) => {
    const [inputs, columns] = [360, 70];
    const arena = new Arena(gpu.device);
    try {
      const spec = product(arena, rows, inputs, columns);
      const [alone, among] = await Promise.all(
        [1, rows].map(async (count) => {
          const y = arena.buffer('y', count * columns * 4);
          const dispatches = await recordLinear(gpu, arena, { ...spec, rows: count, outputBindings: [y] });
          return runAndRead(gpu, dispatches, y, columns);
        }),
      );
      expect(among).toEqual(alone);
    } finally {
      arena.dispose();
    }
  });

  test('refuses a weight whose rows are not whole chunks', async () => {
    const arena = new Arena(gpu.device);
    const { tensor: weight } = uploadMatrix(arena, 'weight', randomArray(3, 12 * 4), 4, 12);
    const bias = uploadVector(arena, 'bias', randomArray(2, 4));
    const spec = {
      label: 'odd',
      x: arena.buffer('x', 64),
      rows: 1,
      weight,
      bias,
      output: 'plain' as const,
      outputBindings: [],
    };
    await expect(recordLinear(gpu, arena, spec)).rejects.toThrow(
      'odd: x of 64 bytes as [1, 12], row stride 16; K must be a multiple of 8',
    );
    arena.dispose();
  });
});
