import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { computeMask } from '../../src/format/geometry';
import { parseManifest } from '../../src/format/parseManifest';
import { asHalf, bytesOf, convertState, convertTiny, FOLDER, messageOf } from './tiny';
import type { Converted } from './tiny';

let tiny: Converted;
beforeAll(async () => {
  tiny = await convertTiny();
});

describe('masks', () => {
  const geometry = { leftLength: 16, imageSide: 4, rightLength: 16, convKernel: 3, lastConvKernel: 5 };
  const KEYS = {
    row: 'transformer.row_mask',
    column: 'transformer.col_mask',
    conv: 'transformer.conv_mask',
    lastConv: 'transformer.last_conv_mask',
  } as const;

  it('recognises those of 350M_v1, in halves too', async () => {
    const { manifest, notes } = await convertState((changed) => {
      for (const [kind, key] of Object.entries(KEYS)) {
        const mask = { ...changed.get(key)!, data: computeMask(geometry, kind as keyof typeof KEYS, false) };
        changed.set(key, kind === 'conv' ? asHalf(mask) : mask);
      }
    });
    expect(manifest.config.masks).toEqual({ form: 'standard', rightSeesLeft: false });
    expect(notes).toContain('the masks are those of 350M_v1: right text does not see left text');
  });

  it('keeps any other as bits, and says so', async () => {
    const converted = await convertState((changed) => {
      const data = changed.get(KEYS.row)!.data.slice();
      data[40 * 48 + 33] = 0; // one right-text position does not see another
      changed.set(KEYS.row, { ...changed.get(KEYS.row)!, data });
    });
    expect(converted.manifest.config.masks.form).toBe('bitset');
    expect(converted.notes).toContain(
      'transformer.row_mask not standard: all four are kept as bits, attention will be slower',
    );
    const { entry, bytes } = bytesOf(converted, 'masks.row');
    expect(entry).toMatchObject({ dtype: 'u32', shape: [48, 2], rowStride: 2 });
    const words = new Uint32Array(bytes.slice().buffer);
    const expected = computeMask(geometry, 'row');
    expected[40 * 48 + 33] = 0;
    for (let query = 0; query < 48; query++) {
      for (let key = 0; key < 48; key++) {
        expect((words[query * 2 + (key >> 5)]! >>> (key & 31)) & 1, `${query} sees ${key}`).toBe(
          expected[query * 48 + key],
        );
      }
    }
    expect(converted.manifest.tensors.filter(({ name }) => name.startsWith('masks.')).map(({ name }) => name)).toEqual([
      'masks.row',
      'masks.column',
      'masks.conv',
      'masks.lastConv',
    ]);
    parseManifest(JSON.stringify(converted.manifest), 'rudolph.json');
  });

  it('assumes the standard ones where a checkpoint has none', async () => {
    const { manifest, notes } = await convertState((changed) =>
      Object.values(KEYS).forEach((key) => changed.delete(key)),
    );
    expect(manifest.components).toEqual(tiny.manifest.components);
    expect(notes).toEqual(['the checkpoint has no masks: the standard ones are assumed']);
  });

  it('refuses a config whose kernel is not that of the masks', async () => {
    const config = readFileSync(`${FOLDER}/config.json`, 'utf8').replace('"kernel_size": 3', '"kernel_size": 5');
    expect(await messageOf(convertTiny({ config: { label: 'c.json', text: config } }))).toBe(
      'pytorch_model.bin: transformer.conv_mask is that of kernel_size 3, the config says 5',
    );
  });

  it.each<[string, (data: Uint8Array) => void, string]>([
    ['a value between', (data) => void (data[5 * 48] = 2), 'transformer.col_mask holds 2 at [5, 0], expected 0 or 1'],
    [
      'a look ahead',
      (data) => void (data[5 * 48 + 9] = 1),
      'transformer.col_mask lets position 5 see the later position 9',
    ],
  ])('refuses %s', async (_, change, message) => {
    const run = convertState((changed) => {
      const mask = changed.get(KEYS.column)!;
      const data = mask.data.slice();
      change(data);
      changed.set(KEYS.column, { ...mask, dtype: 'u8', data });
    });
    expect(await messageOf(run)).toBe(`changed.bin: ${message}`);
  });

  it('refuses a checkpoint with some of the masks', async () => {
    expect(await messageOf(convertState((changed) => void changed.delete(KEYS.conv)))).toBe(
      'changed.bin: transformer.conv_mask missing while other masks are there',
    );
  });
});
