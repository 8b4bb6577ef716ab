import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/format/byteSource';
import { readSafetensorsIndex, writeSafetensors } from '../../src/format/safetensors';

describe('safetensors', () => {
  it('reads what its own writer wrote', async () => {
    const file = writeSafetensors([
      { name: 'a', dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      { name: 'б', dtype: 'U8', shape: [3], data: Uint8Array.of(7, 8, 9) },
      { name: 'scalar', dtype: 'I32', shape: [], data: Int32Array.of(-5) },
    ]);
    const index = await readSafetensorsIndex(memorySource(file), 'x.safetensors');
    expect([...index.values()].map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ['a', 'F32', [2, 2]],
      ['б', 'U8', [3]],
      ['scalar', 'I32', []],
    ]);
    const a = index.get('a')!;
    expect(a.start % 8).toBe(0);
    expect([...new Float32Array(file.slice(a.start, a.end).buffer)]).toEqual([1, 2, 3, 4]);
  });

  it('reads what the Python library wrote', async () => {
    const index = await readSafetensorsIndex(
      memorySource(readFileSync('test/fixtures/tiny-a/cases.safetensors')),
      'cases.safetensors',
    );
    expect(index.get('forward.left.ids')).toMatchObject({ dtype: 'I32', shape: [2, 16] });
  });

  const file = (header: unknown, data = 4): Uint8Array => {
    const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
    const bytes = new Uint8Array(8 + json.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(json, 8);
    return bytes;
  };
  const entry = (change: object) => ({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...change } });
  it.each<[string, Uint8Array, string]>([
    ['short', new Uint8Array(3), 'it has 3 bytes'],
    ['a long header', new Uint8Array(20).fill(255), 'its header claims'],
    ['no JSON', file('nonsense'), 'its header is not JSON'],
    ['a list', file([]), 'its header is not an object'],
    ['a type', file(entry({ dtype: 'F8_E4M3' })), 'w is of the unknown type "F8_E4M3"'],
    ['a size', file(entry({ shape: [2] })), 'w F32 [2] needs 8 bytes but has 4'],
    ['truncated', file(entry({}), 2), 'it is truncated'],
    ['no offsets', file(entry({ data_offsets: [0] })), 'the entry of w is malformed'],
    ['negative', file(entry({ data_offsets: [-4, 0] })), 'the entry of w is malformed'],
  ])('refuses %s', async (_, bytes, message) => {
    await expect(readSafetensorsIndex(memorySource(bytes), 'x')).rejects.toThrow(message);
  });

  it('refuses to write bytes that do not fit', () => {
    expect(() => writeSafetensors([{ name: 'a', dtype: 'F32', shape: [3], data: new Float32Array(2) }])).toThrow(
      'a F32 [3] needs 12 bytes, got 8',
    );
  });
});
