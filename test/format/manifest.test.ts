import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/format/manifest';
import { parseManifest } from '../../src/format/parseManifest';
import { rowStrideOf, ShardWriter, tensorByteLength } from '../../src/format/shards';
import { sha256 } from '../../src/format/sha256';

const HASH = 'a'.repeat(64);

/** A small manifest that is right; every test breaks one thing. */
function good(): Manifest {
  return {
    formatVersion: 1,
    name: 'small',
    producer: 'test',
    config: {
      layers: 2,
      hidden: 8,
      heads: 2,
      leftLength: 4,
      imageSide: 2,
      rightLength: 4,
      textVocabulary: 20,
      textSpecialTokens: 6,
      imageVocabulary: 16,
      imageSpecialTokens: 0,
      convKernel: 3,
      lastConvKernel: 5,
      layerMasks: ['row', 'column'],
      masks: { form: 'standard', rightSeesLeft: true },
    },
    specialTokens: { LT_T2I: 12 },
    imageTokenizer: null,
    components: {
      transformer: { byteLength: 1024, shards: [{ file: `${HASH}.bin`, byteLength: 1024, sha256: HASH }] },
    },
    tensors: [
      { name: 'w', dtype: 'f16', shape: [3, 10], rowStride: 16, component: 'transformer', offset: 0, byteLength: 96 },
      { name: 'b', dtype: 'f32', shape: [10], rowStride: 10, component: 'transformer', offset: 256, byteLength: 40 },
    ],
  };
}

// A parsed JSON is `any`: the tests reach into it.
type Json = ReturnType<typeof JSON.parse>;

function broken(change: (manifest: Json) => unknown): () => Manifest {
  const manifest = JSON.parse(JSON.stringify(good())) as Json;
  change(manifest);
  return () => parseManifest(JSON.stringify(manifest), 'rudolph.json');
}

describe('parseManifest', () => {
  it('accepts a good one', () => {
    expect(parseManifest(JSON.stringify(good()), 'rudolph.json')).toEqual(good());
    expect(
      broken((m) => (m.attribution = [{ what: 'w', by: 'b', licence: 'l', url: 'https://example.org' }])),
    ).not.toThrow();
    expect(broken((m) => (m.attribution = [{ what: { ru: 'п', en: 'w' }, by: 'b', licence: 'l' }]))).not.toThrow();
    expect(broken((m) => (m.tensors[1].offset = 768))).not.toThrow();
  });

  it.each<[string, (manifest: Json) => unknown, string]>([
    [
      'a newer version',
      (m) => (m.formatVersion = 2),
      'rudolph.json: has format version 2, this version of rudolph-web reads up to 1: update rudolph-web',
    ],
    ['no version', (m) => delete m.formatVersion, 'has no formatVersion'],
    [
      'a path',
      (m) => (m.components.transformer.shards[0].file = '../../etc/passwd'),
      'shards[0].file is "../../etc/passwd", expected a plain file name',
    ],
    ['a folder', (m) => (m.components.transformer.shards[0].file = 'a/b.bin'), 'expected a plain file name'],
    ['a backslash', (m) => (m.components.transformer.shards[0].file = 'a\\b.bin'), 'expected a plain file name'],
    [
      'a URL',
      (m) => (m.components.transformer.shards[0].file = 'https://evil.example/x'),
      'expected a plain file name',
    ],
    ['a hidden file', (m) => (m.components.transformer.shards[0].file = '..'), 'expected a plain file name'],
    ['a query', (m) => (m.components.transformer.shards[0].file = 'a?b'), 'expected a plain file name'],
    ['no hash', (m) => (m.components.transformer.shards[0].sha256 = 'abc'), 'shards[0].sha256 is no SHA-256'],
    [
      'a huge shard',
      (m) => (m.components.transformer.shards[0].byteLength = 2 ** 25),
      'shards[0].byteLength is 33554432, expected a whole number from 1 to 16777216',
    ],
    [
      'sizes that do not add up',
      (m) => (m.components.transformer.byteLength = 2048),
      'components.transformer.byteLength is 2048, its shards have 1024 bytes',
    ],
    ['an unknown component', (m) => (m.components.extra = m.components.transformer), 'a component is "extra"'],
    [
      'a tensor behind the stream',
      (m) => (m.tensors[1].offset = 1024),
      'b: ends at byte 1064 of transformer, which has 1024',
    ],
    [
      'overlapping tensors',
      (m) => (m.tensors[1].offset = 0),
      'b: overlaps the tensor before it, at byte 0 of transformer',
    ],
    ['a tensor off the grid', (m) => (m.tensors[1].offset = 260), 'b: offset 260 is not a multiple of 256'],
    ['a row stride', (m) => (m.tensors[0].rowStride = 10), 'w: rowStride is 10, expected 16 for f16 [3, 10]'],
    ['a byte length', (m) => (m.tensors[0].byteLength = 60), 'w: byteLength is 60, expected 96'],
    ['a negative size', (m) => (m.tensors[0].shape = [-3, 10]), 'w: shape is -3'],
    ['a fraction', (m) => (m.tensors[1].offset = 0.5), 'b: offset is 0.5'],
    ['a type', (m) => (m.tensors[0].dtype = 'f64'), 'w: dtype is "f64", expected f16, f32, u32, u8'],
    ['a name twice', (m) => (m.tensors[1].name = 'w'), 'there are two tensors w'],
    ['no component', (m) => (m.tensors[0].component = 'imageEncoder'), 'w: there is no component imageEncoder'],
    ['heads', (m) => (m.config.heads = 3), 'config: 3 heads do not divide 8'],
    [
      'the kinds of layers',
      (m) => m.config.layerMasks.pop(),
      'config.layerMasks has 1 entries for 2 layers (expected row, column)',
    ],
    ['an unknown kind', (m) => (m.config.layerMasks[0] = 'diagonal'), 'config.layerMasks[0] is "diagonal"'],
    [
      'a special id among the pads',
      (m) => (m.specialTokens.LT_T2I = 16),
      'specialTokens.LT_T2I is 16, expected a whole number from 0 to 15',
    ],
    ['too small a vocabulary', (m) => (m.config.textVocabulary = 10), 'config.textVocabulary is 10'],
    [
      'a link that is no web address',
      (m) => (m.attribution = [{ what: 'w', by: 'b', licence: 'l', url: 'javascript:alert(1)' }]),
      'attribution[0].url is no web address',
    ],
    [
      'a credit that is no text in some language',
      (m) => (m.attribution = [{ what: { ru: 1 }, by: 'b', licence: 'l' }]),
      'attribution[0].what.ru is no text',
    ],
    ['a name that is none', (m) => (m.name = 3), 'name is no text'],
  ])('refuses %s', (_, change, message) => {
    expect(broken(change)).toThrow(message);
  });

  it.each([
    ['{"__proto__": {"formatVersion": 1}}', 'the key __proto__ is not allowed'],
    ['{"formatVersion": 1, "config": {"constructor": 1}}', 'the key constructor is not allowed'],
    ['<!doctype html><title>404</title>', 'is an HTML page, not a manifest (wrong address?)'],
    ['{', 'rudolph.json: is no JSON'],
    ['[]', 'the manifest is no object'],
    ['null', 'the manifest is no object'],
  ])('refuses %s', (text, message) => {
    expect(() => parseManifest(text, 'rudolph.json')).toThrow(message);
  });
});

describe('ShardWriter', () => {
  it('aligns tensors, cuts at the shard size, and names files by their hash', async () => {
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    const writer = new ShardWriter('transformer', { write: async (file, bytes) => void files.set(file, bytes) }, 512);
    await writer.begin('a', 'u8', [300]);
    await writer.append(new Uint8Array(300).fill(1));
    await writer.begin('b', 'f32', [2, 100]);
    await writer.append(new Float32Array(100).fill(2));
    await writer.append(new Float32Array(100).fill(3));
    await writer.finish();
    expect(writer.tensors.map(({ offset, byteLength, rowStride }) => [offset, byteLength, rowStride])).toEqual([
      [0, 300, 300],
      [512, 800, 100],
    ]);
    expect(writer.byteLength).toBe(512 + 1024);
    expect(writer.shards.map(({ byteLength }) => byteLength)).toEqual([512, 512, 512]);
    for (const { file, sha256: hash } of writer.shards)
      expect([`${await sha256(files.get(file)!)}.bin`, `${hash}.bin`]).toEqual([file, file]);
    const stream = Buffer.concat(writer.shards.map(({ file }) => files.get(file)!));
    expect([stream[299], stream[300], stream[511]]).toEqual([1, 0, 0]);
    expect(new Float32Array(new Uint8Array(stream.subarray(512, 512 + 800)).buffer)[100]).toBe(3);
  });

  it('notices a tensor of the wrong length', async () => {
    const writer = new ShardWriter('transformer', { write: async () => {} });
    await writer.begin('a', 'u8', [300]);
    await writer.append(new Uint8Array(299));
    await expect(writer.finish()).rejects.toThrow('a: 299 bytes appended, expected 300');
  });

  it('pads rows of halves to 16 bytes, and nothing else', () => {
    expect([
      rowStrideOf('f16', [3, 10]),
      rowStrideOf('f16', [3, 2, 2, 2]),
      rowStrideOf('f16', [10]),
      rowStrideOf('f32', [3, 10]),
      rowStrideOf('u32', [48, 2]),
    ]).toEqual([16, 8, 10, 10, 2]);
    expect([tensorByteLength('f16', [3, 10]), tensorByteLength('u8', [3]), tensorByteLength('f32', [8, 120])]).toEqual([
      96, 3, 3840,
    ]);
  });
});
