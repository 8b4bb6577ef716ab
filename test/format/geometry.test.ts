import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PRESETS } from '../../src/convert/config';
import type { PresetName } from '../../src/convert/config';
import { allowed, computeMask, layerMaskKinds, MASK_KINDS, sequenceLength } from '../../src/format/geometry';
import { sha256 } from '../../src/format/sha256';

interface Preset {
  readonly sequence_length: number;
  readonly text_vocabulary: number;
  readonly image_vocabulary: number;
  readonly layer_mask_kinds: readonly string[];
  readonly masks: Readonly<Record<string, { sha256_of_row_major_bytes: string; ones: number }>>;
}

const presets = JSON.parse(readFileSync('test/fixtures/presets.json', 'utf8')) as Record<PresetName, Preset>;
const UPSTREAM = { row: 'row', column: 'col', conv: 'conv', lastConv: 'last_conv' } as const;

describe.each(Object.keys(PRESETS) as PresetName[])('geometry of %s', (name) => {
  const model = PRESETS[name];
  const preset = presets[name];

  it('has the sizes and layers of upstream', () => {
    expect(sequenceLength(model)).toBe(preset.sequence_length);
    expect(model.textVocabulary).toBe(preset.text_vocabulary);
    expect(model.imageVocabulary).toBe(preset.image_vocabulary);
    expect(layerMaskKinds(model.layers).map((kind) => UPSTREAM[kind])).toEqual(preset.layer_mask_kinds);
  });

  it.each(MASK_KINDS)('computes the %s mask of upstream', async (kind) => {
    const mask = computeMask(model, kind);
    const expected = preset.masks[`${UPSTREAM[kind]}_mask`]!;
    expect(mask.reduce((sum, value) => sum + value, 0)).toBe(expected.ones);
    expect(await sha256(mask)).toBe(expected.sha256_of_row_major_bytes);
  });
});

describe('geometry', () => {
  it('orders the tests of layer kinds as upstream where the layers are not 4n', () => {
    expect(layerMaskKinds(1)).toEqual(['lastConv']);
    expect(layerMaskKinds(2)).toEqual(['row', 'column']);
    expect(layerMaskKinds(5)).toEqual(['row', 'column', 'row', 'conv', 'lastConv']);
    expect(layerMaskKinds(6)).toEqual(['row', 'column', 'row', 'conv', 'row', 'column']);
  });

  it('hides left text from right text in the masks of 350M_v1', () => {
    const tiny = { leftLength: 2, imageSide: 2, rightLength: 2, convKernel: 3, lastConvKernel: 5 };
    expect(allowed(tiny, 'row', 6, 0)).toBe(true);
    expect(allowed(tiny, 'row', 6, 0, false)).toBe(false);
    expect(allowed(tiny, 'row', 6, 2, false)).toBe(true);
    expect(allowed(tiny, 'row', 5, 1, false)).toBe(true);
  });
});
